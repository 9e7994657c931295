//! What has a port without a lease of ours: the one answer that every error and the command give.

use std::collections::HashSet;
use std::fmt;
use std::net::SocketAddr;

use super::address::serves;
use super::claim::Claim;
use super::found::{Found, State};
use super::occupant::{Occupant, Protocol};
use super::sys;
use crate::marker;
use crate::socket;

/// How many claims a message lists. A port can have thousands of connections.
const TOLD: usize = 3;

/// What has a port, as far as the system tells.
#[derive(Debug, Clone)]
pub(crate) struct Occupants(Vec<Claim>);

impl Occupants {
    /// What has the port, at any address: sockets that listen, connections, and guards that have vacated it.
    pub(crate) fn of(protocol: Protocol, port: u16) -> Self {
        let found = sys::sockets(|its, local| its == protocol && local.port() == port);
        Self::complete(protocol, port, found.iter())
    }

    /// What gets the TCP connections to `addr`.
    pub(crate) fn at(addr: SocketAddr) -> Self {
        let mut found =
            sys::sockets(|protocol, local| protocol == Protocol::Tcp && serves(local, addr));
        found.retain(|found| found.state == State::Listens);
        Self::new(found.iter().flat_map(Claim::of).collect())
    }

    /// What has each of the TCP ports, with one look at the system.
    #[cfg(feature = "cli")]
    pub(crate) fn of_each(ports: &[u16]) -> Vec<Self> {
        let wanted: HashSet<_> = ports.iter().copied().collect();
        let found = sys::sockets(|protocol, local| {
            protocol == Protocol::Tcp && wanted.contains(&local.port())
        });
        let of = |&port: &u16| {
            let its = found.iter().filter(|found| found.local.port() == port);
            Self::complete(Protocol::Tcp, port, its)
        };
        ports.iter().map(of).collect()
    }

    /// With what no table lists.
    fn complete<'a>(protocol: Protocol, port: u16, found: impl Iterator<Item = &'a Found>) -> Self {
        let mut claims: Vec<_> = found.flat_map(Claim::of).collect();
        if protocol == Protocol::Tcp {
            claims.extend(marker::vacater_of(port).map(Claim::Vacated));
            if claims.is_empty() && socket::is_in_use(port) {
                claims.extend(sys::bound(port).iter().flat_map(Claim::of));
                if claims.is_empty() {
                    claims.push(Claim::Unlisted);
                }
            }
        }
        Self::new(claims)
    }

    fn new(mut claims: Vec<Claim>) -> Self {
        claims.sort_by_key(|claim| (claim.rank(), claim.listener().map(Occupant::pid)));
        Self(claims)
    }

    /// Without the guard that has vacated the port, which is the asker.
    pub(crate) fn beside_the_guard(mut self) -> Self {
        self.0.retain(|claim| !matches!(claim, Claim::Vacated(_)));
        self
    }

    /// Those of the processes that listen.
    pub(super) fn pids(&self) -> impl Iterator<Item = u32> {
        self.0.iter().filter_map(Claim::listener).map(Occupant::pid)
    }

    /// The processes that listen, each once.
    pub(crate) fn into_vec(self) -> Vec<Occupant> {
        let mut occupants: Vec<_> = self.0.iter().filter_map(Claim::listener).cloned().collect();
        occupants.dedup();
        occupants
    }

    /// Each claim in words.
    #[cfg(feature = "cli")]
    pub(crate) fn told(&self) -> Vec<String> {
        self.0.iter().map(Claim::to_string).collect()
    }

    /// Whether no process is known that listens.
    pub(crate) fn is_unknown(&self) -> bool {
        self.pids().next().is_none()
    }

    /// The TCP addresses that one of the processes listens on.
    pub(crate) fn addrs_of(family: &HashSet<u32>) -> Vec<SocketAddr> {
        let is_its = |found: &Found| {
            let mut openers = found.openers.iter();
            found.state == State::Listens && openers.any(|opener| family.contains(&opener.pid))
        };
        let mut addrs: Vec<_> = sys::sockets(|protocol, _| protocol == Protocol::Tcp)
            .iter()
            .filter(|found| is_its(found))
            .map(|found| found.local)
            .collect();
        addrs.sort_unstable();
        addrs.dedup();
        addrs
    }
}

/// A sentence or several, joined by "and": process 4242 (`redis-server *:6379`, user 1000) listens on 127.0.0.1:6379.
impl fmt::Display for Occupants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("what had it a moment ago is gone");
        }
        for (nth, claim) in self.0.iter().take(TOLD).enumerate() {
            if nth > 0 {
                f.write_str(" and ")?;
            }
            claim.fmt(f)?;
        }
        match self.0.len().saturating_sub(TOLD) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
