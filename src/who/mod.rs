//! Who has a port: the holder of its lease, and the processes that sit on it without one.

mod address;
mod claim;
mod found;
mod holder;
mod listening;
mod occupant;
mod occupants;
#[cfg(unix)]
mod process;
mod sys;

pub(crate) use address::{accepts, connect};
pub use holder::Holder;
pub(crate) use listening::{Listening, bound_at, listening_at, listens};
pub use occupant::Occupant;
pub(crate) use occupant::Protocol;
pub(crate) use occupants::Occupants;
#[cfg(unix)]
pub(crate) use process::Process;
#[cfg(unix)]
pub(crate) use sys::processes;
