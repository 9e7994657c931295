//! A server's processes. Each system's file has the same types and functions.

#[cfg(unix)]
mod at_exit;
#[cfg(unix)]
mod pre_exec;
#[cfg(unix)]
mod spawner;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use at_exit::{forget, stop_at_exit};
#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
pub(crate) mod job;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::*;
