//! What differs between systems. Each file has the same functions.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
mod flags;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::*;
#[cfg(not(any(unix, windows)))]
compile_error!("port-for runs on Unix and on Windows");
