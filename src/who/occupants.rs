//! The processes that sit on a port without a lease.

use std::collections::HashSet;
use std::fmt;
use std::net::SocketAddr;

use super::address::serves;
use super::occupant::{Found, Occupant, Protocol};
use super::sys;

/// The processes that listen on a port, as far as the system tells.
#[derive(Debug, Clone)]
pub(crate) struct Occupants(Vec<Occupant>);

impl Occupants {
    /// Looks for the processes that listen on the TCP port or have the UDP port, at any address.
    ///
    /// Empty when there are none, or when this user may not look into the process that does.
    pub(crate) fn of(protocol: Protocol, port: u16) -> Self {
        Self::which(|found| found.protocol == protocol && found.addr.port() == port)
    }

    /// Looks for the processes that get the TCP connections to `addr`.
    pub(crate) fn at(addr: SocketAddr) -> Self {
        Self::which(|found| found.protocol == Protocol::Tcp && serves(found.addr, addr))
    }

    /// Looks for the processes that listen on each of the TCP ports, with one look at the system.
    #[cfg(feature = "cli")]
    pub(crate) fn of_each(ports: &[u16]) -> Vec<Self> {
        let mut found = sys::sockets();
        sys::leave_out_heirs(&mut found);
        let on = |port: u16| {
            found
                .iter()
                .filter(move |found| found.protocol == Protocol::Tcp && found.addr.port() == port)
        };
        ports.iter().map(|&port| Self::new(on(port))).collect()
    }

    fn which(matches: impl Fn(&Found) -> bool) -> Self {
        let mut found = sys::sockets();
        found.retain(matches);
        sys::leave_out_heirs(&mut found);
        Self::new(found.iter())
    }

    fn new<'a>(found: impl Iterator<Item = &'a Found>) -> Self {
        let mut occupants: Vec<_> = found
            .map(|found| Occupant {
                pid: found.pid,
                command: sys::command_line(found.pid).unwrap_or_else(|| found.name.clone()),
                user: sys::user(found.pid),
            })
            .collect();
        occupants.sort_unstable_by_key(|occupant| occupant.pid);
        occupants.dedup_by_key(|occupant| occupant.pid);
        Self(occupants)
    }

    pub(super) fn pids(&self) -> impl Iterator<Item = u32> {
        self.0.iter().map(|occupant| occupant.pid)
    }

    pub(crate) fn into_vec(self) -> Vec<Occupant> {
        self.0
    }

    pub(crate) fn is_unknown(&self) -> bool {
        self.0.is_empty()
    }

    /// The TCP addresses that one of the processes listens on.
    pub(crate) fn addrs_of(family: &HashSet<u32>) -> Vec<SocketAddr> {
        let mut addrs: Vec<_> = sys::sockets()
            .into_iter()
            .filter(|found| found.protocol == Protocol::Tcp && family.contains(&found.pid))
            .map(|found| found.addr)
            .collect();
        addrs.sort_unstable();
        addrs.dedup();
        addrs
    }
}

/// `process 4242 (`redis-server *:6379`, user 1000)`, or that it is not known: to stand behind "listens there: ".
impl fmt::Display for Occupants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("a process that the system does not name (another user's, or one that has just let go)");
        }
        for (nth, occupant) in self.0.iter().enumerate() {
            if nth > 0 {
                f.write_str(" and ")?;
            }
            occupant.fmt(f)?;
        }
        Ok(())
    }
}
