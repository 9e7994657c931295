//! Whether a port is free, found out by binding it for an instant.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

use super::{is_family_missing, sys};
use crate::marker;

/// Whether no socket has `port`: TCP and UDP, IPv4 and (where the machine has it) IPv6, on every address.
///
/// Nothing listens and no packet is sent. `Ok(false)` means that another socket has the port, or that
/// this user may not bind it (privileged, or excluded by Windows).
///
/// # Errors
///
/// What else the system says, such as that no file descriptor is left: nothing is known about the port.
pub(crate) fn can_be_bound(port: u16) -> io::Result<bool> {
    Probe::default().can_be_bound(port)
}

/// A look at many ports. The system's table of connections is read once at most: after many short connections that takes
/// long.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    connected: OnceCell<HashSet<u16>>,
}

impl Probe {
    /// See [`can_be_bound`].
    ///
    /// # Errors
    ///
    /// Those of [`can_be_bound`].
    pub(crate) fn can_be_bound(&self, port: u16) -> io::Result<bool> {
        for loopback in LOOPBACKS {
            for kind in [Type::STREAM, Type::DGRAM] {
                if !self.is_free(kind, SocketAddr::new(loopback, port))? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Binds at the wildcard, which fails over any socket at any address: on Unix without `SO_REUSEADDR`, on Windows with
    /// `SO_EXCLUSIVEADDRUSE`.
    fn is_free(&self, kind: Type, addr: SocketAddr) -> io::Result<bool> {
        // Bind only once. If another thread forks between two binds, the child keeps a copy of the first socket, and the
        // second bind fails.
        let addr = wildcard(addr);
        Ok(binds(kind, addr)? || kind == Type::STREAM && self.only_lingers(addr)?)
    }

    /// Whether all that keeps a bind from a TCP port are connections of a server that is gone: the next server can listen
    /// there at once. Without this, an id asked for in a new store would miss its port for a minute after each use.
    fn only_lingers(&self, addr: SocketAddr) -> io::Result<bool> {
        if !cfg!(target_os = "linux") {
            return Ok(false);
        }
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        if addr.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        match socket.bind(&addr.into()) {
            // Nothing listens, and connections alone are in the way.
            Ok(()) => {
                Ok(marker::vacater_of(addr.port()).is_none() && self.is_connected(addr.port()))
            }
            Err(e) => match e.kind() {
                io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied => Ok(false),
                _ => Err(e),
            },
        }
    }

    /// Whether there is a connection with this local port. Sockets that are only bound are not listed. False where the
    /// table cannot be read: then the port counts as taken.
    fn is_connected(&self, port: u16) -> bool {
        self.connected.get_or_init(connected_ports).contains(&port)
    }
}

#[cfg(target_os = "linux")]
fn connected_ports() -> HashSet<u16> {
    let sockets = crate::proc::tcp_sockets().unwrap_or_default();
    sockets.iter().map(|socket| socket.local.port()).collect()
}

#[cfg(not(target_os = "linux"))]
fn connected_ports() -> HashSet<u16> {
    HashSet::new()
}

/// Whether another TCP socket has `port`, at any address, whatever it does there. False where that cannot be found out.
pub(crate) fn is_in_use(port: u16) -> bool {
    let is_in_use = |loopback| {
        let bound = try_bind(Type::STREAM, wildcard(SocketAddr::new(loopback, port)));
        bound.is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
    };
    LOOPBACKS.into_iter().any(is_in_use)
}

const LOOPBACKS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
];

/// Whether no socket has the TCP port of `addr`, at that address and at its family's wildcard.
///
/// # Errors
///
/// Those of [`can_be_bound`].
pub(crate) fn can_be_bound_at(addr: SocketAddr) -> io::Result<bool> {
    Probe::default().is_free(Type::STREAM, addr)
}

fn wildcard(addr: SocketAddr) -> SocketAddr {
    let ip: IpAddr = match addr.ip() {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    SocketAddr::new(ip, addr.port())
}

fn binds(kind: Type, addr: SocketAddr) -> io::Result<bool> {
    match try_bind(kind, addr) {
        Ok(socket) => {
            sys::yield_to_holders(&socket)?;
            Ok(true)
        }
        // Without IPv6, or with IPv6 switched off, no socket can have the port there.
        Err(e) if addr.is_ipv6() && is_family_missing(&e) => Ok(true),
        Err(e) => match e.kind() {
            io::ErrorKind::AddrNotAvailable if addr.is_ipv6() => Ok(true),
            io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied => Ok(false),
            _ => Err(e),
        },
    }
}

fn try_bind(kind: Type, addr: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), kind, None)?;
    sys::prepare(&socket)?;
    if addr.is_ipv6() {
        // IPv4 is asked for by itself, so that a machine without IPv6 gets the same answers.
        socket.set_only_v6(true)?;
    }
    socket.bind(&addr.into())?;
    Ok(socket)
}
