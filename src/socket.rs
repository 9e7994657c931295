//! The one door to `socket2`: sockets with options that the standard library does not set.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

/// Whether `port` is nobody's: TCP and UDP, IPv4 and (where the machine has it) IPv6, on every address.
///
/// Nothing listens and no packet is sent. `Ok(false)` means that another socket has the port, or that
/// this user may not bind it (privileged, or excluded by Windows).
///
/// # Errors
///
/// What else the system says, such as that no file descriptor is left: nothing is known about the port.
pub(crate) fn can_be_bound(port: u16) -> io::Result<bool> {
    for loopback in [
        IpAddr::from(Ipv4Addr::LOCALHOST),
        Ipv6Addr::LOCALHOST.into(),
    ] {
        for kind in [Type::STREAM, Type::DGRAM] {
            if !is_free(kind, SocketAddr::new(loopback, port))? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Whether the TCP port of `addr` is nobody's, at that address and at its family's wildcard.
///
/// # Errors
///
/// Those of [`can_be_bound`].
pub(crate) fn can_be_bound_at(addr: SocketAddr) -> io::Result<bool> {
    is_free(Type::STREAM, addr)
}

/// Binds at the wildcard, and where that does not say everything, at `addr` too.
fn is_free(kind: Type, addr: SocketAddr) -> io::Result<bool> {
    // On Unix a wildcard bind without SO_REUSEADDR already fails over any socket on any address. A
    // second bind could meet the first: a thread that forks between the two takes a copy of the first
    // socket along, which closing ours does not close. Windows does not fork, and lets a wildcard
    // and an address have the same port side by side, unless SO_EXCLUSIVEADDRUSE is set, for which
    // there is no safe call.
    if cfg!(windows) && !binds(kind, addr)? {
        return Ok(false);
    }
    binds(kind, wildcard(addr))
}

fn wildcard(addr: SocketAddr) -> SocketAddr {
    let ip: IpAddr = match addr.ip() {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    SocketAddr::new(ip, addr.port())
}

fn binds(kind: Type, addr: SocketAddr) -> io::Result<bool> {
    let socket = match Socket::new(Domain::for_address(addr), kind, None) {
        Ok(socket) => socket,
        // Without IPv6 nobody can have the port there.
        Err(e) if addr.is_ipv6() && is_family_missing(&e) => return Ok(true),
        Err(e) => return Err(e),
    };
    if addr.is_ipv6() {
        // IPv4 is asked for by itself, so that a machine without IPv6 gets the same answers.
        socket.set_only_v6(true)?;
    }
    match socket.bind(&addr.into()) {
        Ok(()) => {}
        Err(e) => {
            return match e.kind() {
                io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied => Ok(false),
                // IPv6 compiled in but switched off: there is no such address to have the port at.
                io::ErrorKind::AddrNotAvailable if addr.is_ipv6() => Ok(true),
                _ => Err(e),
            };
        }
    }
    // Should a fork carry a copy of this socket away, the copy must not keep the port from whoever is
    // to hold it: allowing reuse after the bind makes it yield to a socket that allows it too.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    Ok(true)
}

fn is_family_missing(error: &io::Error) -> bool {
    #[cfg(unix)]
    const EAFNOSUPPORT: i32 = libc::EAFNOSUPPORT;
    #[cfg(windows)]
    const EAFNOSUPPORT: i32 = 10047; // WSAEAFNOSUPPORT
    error.raw_os_error() == Some(EAFNOSUPPORT)
}
