//! Who accepts connections at an address: one of a server's processes, or a stranger.

use std::collections::HashSet;
use std::net::SocketAddr;

use super::address::accepts;
use super::occupant::Protocol;
use super::occupants::Occupants;
use super::sys;

/// Who accepts connections at an address, seen from the processes of a server.
#[derive(Debug)]
pub(crate) enum Listening {
    Nothing,
    /// One of the family, and no other process.
    Family,
    /// Another process, known by name.
    Stranger(Occupants),
    /// A process that is not of the family, and that the system does not name.
    Unknown,
    /// A process that takes connections, and the system does not tell whether it is of the family.
    Untold,
}

/// Who listens at `addr`: one of the processes of `family`, which is asked for after the sockets were looked up, or
/// another one?
///
/// First a connection has to be accepted, which costs little to find out.
pub(crate) fn listening_at(addr: SocketAddr, family: impl FnOnce() -> HashSet<u32>) -> Listening {
    if !accepts(addr) {
        return Listening::Nothing;
    }
    match sys::listening_sockets(addr) {
        Some(sockets) => whose(sockets, &family(), || Occupants::at(addr)),
        None => of_known(Occupants::at(addr), &family()),
    }
}

/// Whether the socket with this number gets the connections to `addr`, as far as the system tells.
pub(crate) fn listens(addr: SocketAddr, socket: u64) -> bool {
    let sockets = sys::listening_sockets(addr).unwrap_or_default();
    sockets.iter().any(|found| found.inode == socket)
}

/// As [`listening_at`], of the UDP port: who has it.
pub(crate) fn bound_at(addr: SocketAddr, family: impl FnOnce() -> HashSet<u32>) -> Listening {
    let occupants = || Occupants::of(Protocol::Udp, addr.port());
    match sys::bound_sockets(addr) {
        Some(sockets) => whose(sockets, &family(), occupants),
        None => match of_known(occupants(), &family()) {
            Listening::Untold => Listening::Nothing,
            known => known,
        },
    }
}

fn of_known(occupants: Occupants, family: &HashSet<u32>) -> Listening {
    if occupants.is_unknown() {
        Listening::Untold
    } else if occupants.pids().any(|pid| family.contains(&pid)) {
        Listening::Family
    } else {
        Listening::Stranger(occupants)
    }
}

/// Whose sockets they are: the family's if each of them is open in one of its processes.
fn whose(
    mut others: Vec<SocketOf>,
    family: &HashSet<u32>,
    occupants: impl FnOnce() -> Occupants,
) -> Listening {
    if others.is_empty() {
        return Listening::Nothing;
    }
    // The users whose processes are not for us to look into.
    let mut unseen = Vec::new();
    for &pid in family {
        match sys::socket_inodes(pid) {
            Ok(inodes) => others.retain(|socket| !inodes.contains(&socket.inode)),
            // A process that is ending is no server, and only root may look into it.
            Err(_) if sys::is_ending(pid) => {}
            Err(_) => unseen.extend(sys::user(pid)),
        }
    }
    if others.is_empty() {
        return Listening::Family;
    }
    if others.iter().all(|socket| unseen.contains(&socket.user)) {
        return Listening::Untold;
    }
    let occupants = occupants();
    if occupants.is_unknown() || occupants.pids().all(|pid| family.contains(&pid)) {
        // Another user's, or one that has just let go: perhaps it is gone the next time.
        Listening::Unknown
    } else {
        Listening::Stranger(occupants)
    }
}

/// A socket, and the user who made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SocketOf {
    pub(super) inode: u64,
    pub(super) user: u32,
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

    #[test]
    fn a_listener_of_this_process_is_found_by_its_address() {
        for addr in ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"] {
            let Ok(listener) = TcpListener::bind(addr) else {
                continue; // a machine without IPv6
            };
            let mut addr = listener.local_addr().unwrap();
            let sockets = sys::listening_sockets(addr).unwrap();
            assert_eq!(sockets.len(), 1, "{addr}");
            let family = HashSet::from([std::process::id()]);
            let none = || unreachable!("no other process is asked for");
            if addr.ip().is_unspecified() {
                let loopback = match addr {
                    SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                    SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
                };
                addr.set_ip(loopback);
            }
            assert!(
                matches!(whose(sockets.clone(), &family, none), Listening::Family),
                "{addr}"
            );
            assert!(
                matches!(
                    whose(sockets, &HashSet::from([1]), || Occupants::at(addr)),
                    Listening::Stranger(_) | Listening::Unknown
                ),
                "{addr}"
            );
        }
    }
}
