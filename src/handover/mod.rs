//! Sockets that are passed between processes: the protocol of systemd's socket activation.
//!
//! A process is started with listening sockets as descriptors from 3 on. `LISTEN_FDS` is their number, `LISTEN_FDNAMES`
//! their names, with colons in between, and `LISTEN_PID` the process that they are for
//! ([`sd_listen_fds`](https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html)).

#[cfg(unix)]
mod activation;
mod inherited;
#[cfg(all(unix, feature = "cli"))]
mod pass;
mod protocol;
mod sys;

#[cfg(unix)]
pub(crate) use activation::Activation;
pub use inherited::inherited;
#[cfg(all(unix, feature = "cli"))]
pub(crate) use inherited::take_rest;
pub(crate) use inherited::{inherited_port, take_all};
#[cfg(all(unix, feature = "cli"))]
pub(crate) use pass::pass;
#[cfg(all(unix, feature = "cli"))]
pub(crate) use protocol::FIRST_FD;
#[cfg(unix)]
pub(crate) use protocol::{PREFIX, fd_name};
#[cfg(unix)]
pub(crate) use sys::take_over;
