//! Who accepts connections at an address: one of a server's processes, or a stranger.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;

use super::address::accepts;
use super::occupants::Occupants;
use super::sys;

/// Who accepts connections at an address, seen from the processes of a server.
#[derive(Debug)]
pub(crate) enum Listening {
    Nobody,
    /// One of the family, and nobody else.
    Family,
    /// Somebody else, known by name.
    Stranger(Occupants),
    /// Somebody who is not of the family, and whom the system does not name.
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "others cannot tell that much")
    )]
    Unknown,
    /// Somebody who takes connections, and the system does not tell whether they are of the family.
    Untold,
}

/// Who listens at `addr`: one of the processes of `family`, which is asked for after the sockets were looked up, or
/// somebody else?
///
/// On Linux the sockets themselves are asked, and nobody is connected to. Elsewhere somebody has to accept a
/// connection first.
pub(crate) fn listening_at(addr: SocketAddr, family: impl FnOnce() -> HashSet<u32>) -> Listening {
    if let Some(sockets) = sys::listening_sockets(addr) {
        return whose(addr, &sockets, &family());
    }
    if !accepts(addr) {
        return Listening::Nobody;
    }
    let occupants = Occupants::at(addr);
    let family = family();
    if occupants.is_unknown() {
        Listening::Untold
    } else if occupants.pids().any(|pid| family.contains(&pid)) {
        Listening::Family
    } else {
        Listening::Stranger(occupants)
    }
}

/// Whose sockets they are: the family's if each of them is open in one of its processes.
fn whose(addr: SocketAddr, sockets: &HashSet<u64>, family: &HashSet<u32>) -> Listening {
    if sockets.is_empty() {
        return Listening::Nobody;
    }
    let mut others = sockets.clone();
    let mut all_seen = true;
    for &pid in family {
        all_seen &= remove_sockets_of(pid, &mut others);
    }
    if others.is_empty() {
        return accepted(addr, Listening::Family);
    }
    if !all_seen {
        return accepted(addr, Listening::Untold);
    }
    let occupants = Occupants::at(addr);
    if occupants.is_unknown() || occupants.pids().all(|pid| family.contains(&pid)) {
        // Another user's, or one that has just let go: perhaps it is gone the next time.
        Listening::Unknown
    } else {
        Listening::Stranger(occupants)
    }
}

/// What listens may not take connections to the address all the same: a socket for IPv6 alone, over IPv4.
fn accepted(addr: SocketAddr, listening: Listening) -> Listening {
    if accepts(addr) {
        listening
    } else {
        Listening::Nobody
    }
}

/// Removes the sockets that the process has open; false when that is not for us to see.
fn remove_sockets_of(pid: u32, sockets: &mut HashSet<u64>) -> bool {
    match sys::socket_inodes(pid) {
        Ok(inodes) => {
            for inode in inodes {
                sockets.remove(&inode);
            }
            true
        }
        // It ended meanwhile.
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
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
            if addr.ip().is_unspecified() {
                let loopback = match addr {
                    SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                    SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
                };
                addr.set_ip(loopback);
            }
            assert!(
                matches!(whose(addr, &sockets, &family), Listening::Family),
                "{addr}"
            );
            assert!(
                matches!(
                    whose(addr, &sockets, &HashSet::from([1])),
                    Listening::Stranger(_) | Listening::Unknown
                ),
                "{addr}"
            );
        }
    }
}
