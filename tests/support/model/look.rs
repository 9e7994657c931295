//! What can be seen after each step, beside what must be.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use port_for::PortFor;
use socket2::{Domain, SockAddr, Socket as RawSocket, Type};

use super::actual::World;
use super::sockets::{Family, Socket, State};
use super::steps::BEHIND;

impl World<'_> {
    /// Compares all that can be seen, by one of the handles.
    pub fn look(&self, by: &PortFor) -> Result<(), String> {
        let expected = self.model.listed();
        let listed = by.assignments().map_err(|error| format!("{error:?}"))?;
        let seen: Vec<_> = listed
            .iter()
            .map(|found| {
                let is_ours = |holder: &port_for::Holder| holder.pid() == Some(std::process::id());
                let is_held = found.holder().is_some_and(is_ours);
                (found.id().to_owned(), found.port(), is_held)
            })
            .collect();
        if seen != expected {
            return Err(format!("{seen:?} is listed, not {expected:?}"));
        }
        for (guard, expected) in self.guards.iter().zip(&self.model.guards) {
            if (guard.id().unwrap_or("-"), guard.port()) != (&*expected.id, expected.port)
                || guard.addr().is_ipv6() != (expected.family() == Family::V6)
            {
                return Err(format!("{guard:?} is not {expected:?}"));
            }
        }
        let behind = self.model.ports.last().map(|last| last + 1..=last + BEHIND);
        for port in self
            .model
            .ports
            .iter()
            .copied()
            .chain(behind.into_iter().flatten())
        {
            if self.model.is_free(port) {
                check(port, "at all", || self.is_free(port), true)?;
                continue;
            }
            self.look_at(port, Family::V4)?;
            if self.model.has_ipv6 {
                self.look_at(port, Family::V6)?;
            }
        }
        Ok(())
    }

    /// Whether nothing at all is there.
    fn is_free(&self, port: u16) -> bool {
        let anywhere: SocketAddr = if self.model.has_ipv6 {
            // And of IPv4.
            (Ipv6Addr::UNSPECIFIED, port).into()
        } else {
            (Ipv4Addr::UNSPECIFIED, port).into()
        };
        [Type::STREAM, Type::DGRAM]
            .iter()
            .all(|&kind| bound(anywhere, kind, false).is_ok())
    }

    fn look_at(&self, port: u16, family: Family) -> Result<(), String> {
        let at = |state| Socket {
            port,
            family,
            state,
        };
        let has = |state| self.model.sockets().any(|socket| socket == at(state));
        let can_bind = |kind, shared| bound(family.loopback(port), kind, shared).is_ok();
        let listens = has(State::Listening);
        let is_bound = listens || has(State::Bound);
        let check = |what, kind, shared, must_be| {
            let how = format!("for {what} at {family:?}");
            check(port, &how, || can_bind(kind, shared), must_be)
        };
        check("TCP", Type::STREAM, false, !is_bound)?;
        check("shared TCP", Type::STREAM, true, !listens)?;
        check("UDP", Type::DGRAM, false, !has(State::Udp))
    }
}

/// Whether the port is as free as it must be. Programs that look for a free port, such as the tests beside this one, can
/// be on it for an instant.
fn check(port: u16, how: &str, is_free: impl Fn() -> bool, must_be: bool) -> Result<(), String> {
    const LOOKS: usize = 20;
    let again = || {
        thread::sleep(Duration::from_millis(1));
        is_free()
    };
    let is_free = is_free() || must_be && (1..LOOKS).any(|_| again());
    let words = |is_free| if is_free { "free" } else { "taken" };
    if is_free == must_be {
        Ok(())
    } else {
        let (is, must_be) = (words(is_free), words(must_be));
        Err(format!("{port} is {is} {how}, and must be {must_be}"))
    }
}

impl Family {
    pub fn loopback(self, port: u16) -> SocketAddr {
        match self {
            Self::V4 => (Ipv4Addr::LOCALHOST, port).into(),
            Self::V6 => (Ipv6Addr::LOCALHOST, port).into(),
        }
    }
}

/// Binds there, with `SO_REUSEADDR` or without.
pub fn bound(addr: SocketAddr, kind: Type, shared: bool) -> std::io::Result<RawSocket> {
    let raw = RawSocket::new(Domain::for_address(addr), kind, None)?;
    raw.set_reuse_address(shared)?;
    if addr.is_ipv6() {
        raw.set_only_v6(false)?;
    }
    raw.bind(&SockAddr::from(addr))?;
    Ok(raw)
}
