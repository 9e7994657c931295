//! A port of its own for every integration test.

pub mod ports;
mod socket;

pub use port_for_macros::port_for;
pub use ports::PortSet;
