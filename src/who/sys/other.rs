//! What other systems than Linux tell.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;

#[cfg(unix)]
pub(crate) use super::programs::{processes, sockets};
#[cfg(windows)]
pub(crate) use super::windows::sockets;
use crate::who::found::Found;
use crate::who::listening::SocketOf;

/// Not known.
pub(crate) fn bound(_port: u16) -> Vec<Found> {
    Vec::new()
}

/// Not known.
pub(crate) fn listening_sockets(_addr: SocketAddr) -> Option<Vec<SocketOf>> {
    None
}

/// Not known.
pub(crate) fn bound_sockets(_addr: SocketAddr) -> Option<Vec<SocketOf>> {
    None
}

/// Not known.
pub(crate) fn is_ending(_pid: u32) -> bool {
    false
}

/// Not known.
pub(crate) fn socket_inodes(_pid: u32) -> io::Result<HashSet<u64>> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn command_line(_pid: u32) -> Option<String> {
    None
}

pub(crate) fn user(_pid: u32) -> Option<u32> {
    None
}
