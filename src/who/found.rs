//! A socket as the system lists it.

use std::net::SocketAddr;

use super::occupant::Protocol;

/// A socket that has a port, and the processes that have it open.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) protocol: Protocol,
    pub(super) local: SocketAddr,
    pub(super) state: State,
    /// The user who made it.
    pub(super) user: Option<u32>,
    /// Of parents and children that share it, the parents. Empty when they are another user's, or have closed it.
    pub(super) openers: Vec<Opener>,
}

/// What the socket does. The address is the other end's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "other systems list no connections")
)]
pub(super) enum State {
    /// A UDP socket does so from the start.
    Listens,
    /// Only bound.
    Bound,
    Connected(SocketAddr),
    /// Both ends have closed it: `TIME_WAIT`.
    Lingers(SocketAddr),
}

/// A process that has a socket open.
#[derive(Debug, Clone)]
pub(super) struct Opener {
    pub(super) pid: u32,
    /// Where the system tells it along.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "of Linux"))]
    pub(super) parent: Option<u32>,
    /// What the system calls it, if it does not tell its command line.
    pub(super) name: String,
}
