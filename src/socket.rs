//! The one door to `socket2`: sockets with options that the standard library does not set.
//!
//! First the sockets that guards hold, then the probes that tell whether a port is anybody's.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, UdpSocket};

use socket2::{Domain, Socket, Type};

#[cfg(windows)]
use crate::windows::exclusive;

/// Connections that a held port takes before its server asks for them; the system may allow fewer.
const BACKLOG: i32 = 1024;

/// A listening socket that keeps a port from everybody else.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: Socket,
    /// Whether other processes may have it too: then it is theirs to shut down.
    shared: bool,
}

impl Listener {
    /// Binds `addr` and listens.
    ///
    /// # Errors
    ///
    /// What the system says; [`is_taken`] tells whether somebody else has the port, [`is_absent`] whether the machine
    /// has no such address.
    pub(crate) fn bind(addr: SocketAddr) -> io::Result<Self> {
        let listener = Self::reserve(addr)?;
        listener.socket.listen(BACKLOG)?;
        Ok(listener)
    }

    /// Binds `addr`, and does not listen.
    fn reserve(addr: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
        // Without it, connections of the last run that are still closing would keep the port for a minute. On Windows
        // they do not, and the option means to share a port with whoever has it.
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        #[cfg(windows)]
        exclusive::set(&socket)?;
        if addr.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // By number, always: a port that the system chose is lost by a shutdown.
        socket.bind(&addr.into())?;
        Ok(Self {
            socket,
            shared: false,
        })
    }

    /// A listener that this process was started with.
    pub(crate) fn inherited(listener: TcpListener) -> Self {
        Self {
            socket: listener.into(),
            shared: true,
        }
    }

    /// Stops listening without letting go of the port, where the system allows it: on Linux, a socket that was shut
    /// down stays bound. Connections are refused then, a bind without `SO_REUSEADDR` fails, no ephemeral port is taken
    /// from there, and a server that sets `SO_REUSEADDR`, as servers do, binds and listens. Elsewhere it is closed.
    pub(crate) fn quiesce(self) -> io::Result<Option<Self>> {
        if !cfg!(target_os = "linux") {
            self.close()?;
            Ok(None)
        } else if self.shared {
            // Others may listen to it: it is closed, and the port bound anew. If that is refused, they do.
            let addr = self.socket.local_addr()?.as_socket();
            self.close()?;
            Ok(addr.and_then(|addr| Self::reserve(addr).ok()))
        } else {
            shutdown(&self.socket)?;
            Ok(Some(self))
        }
    }

    /// Listens again after [`quiesce`](Self::quiesce).
    pub(crate) fn listen_again(&self) -> io::Result<()> {
        self.socket.listen(BACKLOG)
    }

    /// Stops listening and closes. A drop only closes.
    pub(crate) fn close(self) -> io::Result<()> {
        if self.shared {
            return Ok(());
        }
        // Closing alone is not enough: a child that a sibling thread has just forked keeps the socket, listening,
        // until it executes its program.
        shutdown(&self.socket)
    }
}

fn shutdown(socket: &Socket) -> io::Result<()> {
    match socket.shutdown(Shutdown::Both) {
        // Not listening, on this system or any more.
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
        done => done,
    }
}

impl From<Listener> for TcpListener {
    fn from(listener: Listener) -> Self {
        listener.socket.into()
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for Listener {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Binds the UDP port of `addr`. Without `SO_REUSEADDR`: with it, others could share the port.
///
/// # Errors
///
/// As [`Listener::bind`].
pub(crate) fn bind_udp(addr: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, None)?;
    #[cfg(windows)]
    exclusive::set(&socket)?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&addr.into())?;
    Ok(socket.into())
}

/// The descriptor's listener, if it is one for TCP; else the descriptor.
#[cfg(unix)]
pub(crate) fn as_listener(fd: std::os::fd::OwnedFd) -> Result<TcpListener, std::os::fd::OwnedFd> {
    let socket = Socket::from(fd);
    let is_bound = (socket.local_addr())
        .is_ok_and(|addr| addr.as_socket().is_some_and(|addr| addr.port() != 0));
    let is_stream = socket.r#type().is_ok_and(|kind| kind == Type::STREAM);
    // Not every system tells of a socket that it listens, but a connection has somebody at its other end.
    if is_bound && is_stream && socket.peer_addr().is_err() {
        Ok(socket.into())
    } else {
        Err(socket.into())
    }
}

/// Whether a bind or listen failed because somebody else has the port.
pub(crate) fn is_taken(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrInUse
        // So Windows reports a port that somebody holds exclusively, or that it has excluded.
        || cfg!(windows) && error.kind() == io::ErrorKind::PermissionDenied
}

/// Whether a bind failed because the machine has no such address, or not even its family.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable || is_family_missing(error)
}

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

/// Whether nobody has a TCP socket at `addr`, not even one that does not listen, as a guard that has vacated its port.
///
/// # Errors
///
/// As [`Listener::bind`].
pub(crate) fn is_unbound(addr: SocketAddr) -> io::Result<bool> {
    Ok(binds(Type::STREAM, addr)? || only_lingers(addr)?)
}

/// Binds at the wildcard, which fails over any socket at any address: on Unix without `SO_REUSEADDR`, on Windows with
/// `SO_EXCLUSIVEADDRUSE`.
fn is_free(kind: Type, addr: SocketAddr) -> io::Result<bool> {
    // Once, for a second bind could meet the first: a thread that forks between the two takes a copy of the first
    // socket along, which closing ours does not close.
    let addr = wildcard(addr);
    Ok(binds(kind, addr)? || kind == Type::STREAM && only_lingers(addr)?)
}

/// Whether all that keeps a bind from a TCP port are connections of a server that is gone: the next server can listen
/// there at once. Without this, an id asked for in a new store would miss its port for a minute after each use.
fn only_lingers(addr: SocketAddr) -> io::Result<bool> {
    if !cfg!(target_os = "linux") {
        return Ok(false);
    }
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    match socket.bind(&addr.into()) {
        // Nobody listens. The tables are asked last: after many short connections they take long to read.
        Ok(()) => Ok(CONNECTIONS
            .iter()
            .any(|table| has_connection(table, addr.port()))),
        Err(e) => match e.kind() {
            io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied => Ok(false),
            _ => Err(e),
        },
    }
}

/// Where Linux lists connections. Sockets that are only bound are not in it; one of them can be what stands in the way
/// if no connection does, such as a hold that another store's guard has vacated for its server.
const CONNECTIONS: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];

/// Whether a table has a connection with this local port. False where it cannot be read: then the port counts as taken.
fn has_connection(table: &str, port: u16) -> bool {
    let table = std::fs::read_to_string(table).unwrap_or_default();
    let local_port = format!(":{port:04X}");
    table.lines().any(|line| {
        let mut words = line.split_whitespace().skip(1);
        words
            .next()
            .is_some_and(|local| local.ends_with(&local_port))
    })
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
    #[cfg(windows)]
    exclusive::set(&socket)?;
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
    const EAFNOSUPPORT: i32 = rustix::io::Errno::AFNOSUPPORT.raw_os_error();
    #[cfg(windows)]
    const EAFNOSUPPORT: i32 = 10047; // WSAEAFNOSUPPORT
    error.raw_os_error() == Some(EAFNOSUPPORT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_a_bind_failed_is_told_apart() {
        use io::ErrorKind::{AddrInUse, AddrNotAvailable, OutOfMemory, PermissionDenied};

        #[cfg(unix)]
        let no_family = rustix::io::Errno::AFNOSUPPORT.into();
        #[cfg(windows)]
        let no_family = io::Error::from_raw_os_error(10047); // WSAEAFNOSUPPORT
        for (error, taken, absent) in [
            (AddrInUse.into(), true, false),
            (PermissionDenied.into(), cfg!(windows), false),
            (AddrNotAvailable.into(), false, true),
            (no_family, false, true),
            (OutOfMemory.into(), false, false),
        ] {
            assert_eq!(is_taken(&error), taken, "{error}");
            assert_eq!(is_absent(&error), absent, "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_bound_socket_for_tcp_without_another_end_is_a_listener_and_no_other_is() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let connection = std::net::TcpStream::connect(addr).unwrap();
        let unbound = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        for other in [
            connection.into(),
            unbound.into(),
            UdpSocket::bind("127.0.0.1:0").unwrap().into(),
            std::os::unix::net::UnixStream::pair().unwrap().0.into(),
            std::io::pipe().unwrap().0.into(),
        ] {
            as_listener(other).unwrap_err();
        }
        let found = as_listener(listener.into()).unwrap();
        assert_eq!(found.local_addr().unwrap(), addr);
    }

    #[cfg(windows)]
    mod on_windows {
        use super::*;

        /// Tries to share the address of a bound socket, and to have it shared.
        #[track_caller]
        fn refuses_company(socket: &Socket, kind: Type) {
            let rival = Socket::new(Domain::IPV4, kind, None).unwrap();
            rival.set_reuse_address(true).unwrap();
            let error = rival.bind(&socket.local_addr().unwrap()).unwrap_err();
            assert!(is_taken(&error), "{error}");
            socket.set_reuse_address(true).unwrap_err();
        }

        #[test]
        fn it_is_the_option_that_keeps_others_from_a_port() {
            for is_set in [true, false] {
                let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
                if is_set {
                    exclusive::set(&socket).unwrap();
                }
                let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
                socket.bind(&everywhere.into()).unwrap();
                let mut addr = socket.local_addr().unwrap().as_socket().unwrap();
                addr.set_ip(Ipv4Addr::LOCALHOST.into());
                let rival = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
                rival.set_reuse_address(true).unwrap();
                assert_eq!(rival.bind(&addr.into()).is_err(), is_set);
            }
        }

        fn free_port() -> u16 {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        }

        #[test]
        fn a_port_that_is_held_is_shared_with_nobody() {
            for ip in [Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED] {
                let listener = Listener::bind((ip, free_port()).into()).unwrap();
                refuses_company(&listener.socket, Type::STREAM);
                let socket = bind_udp((ip, 0).into()).unwrap();
                refuses_company(&socket.into(), Type::DGRAM);
            }
        }

        #[test]
        fn a_port_that_the_system_has_excluded_is_taken() {
            let error = io::Error::from_raw_os_error(10013); // WSAEACCES
            assert!(is_taken(&error), "{:?}", error.kind());
        }
    }
}
