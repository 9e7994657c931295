//! A server's processes. Each system's file has the same types and functions.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
pub(crate) mod job;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::*;
