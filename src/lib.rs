//! A port of its own for every integration test.

// What the attribute's expansion calls; not for people.
#[path = "private.rs"]
#[doc(hidden)]
pub mod __private;
mod param;
pub mod ports;
mod stub;

pub use param::FromGuard;
#[doc = include_str!("attribute.md")]
pub use port_for_macros::port_for;
pub use ports::PortSet;
pub use stub::{Error, OnBusy, PortFor, PortGuard, Request};
