//! The file that remembers which port an id has.

mod replacing;
mod text;
