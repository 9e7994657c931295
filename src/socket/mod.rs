//! Sockets with options that the standard library does not set. The only folder that uses `socket2`.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, UdpSocket};

use socket2::{Domain, Socket, Type};

use crate::marker;

mod probe;
mod sys;

pub(crate) use probe::{Probe, can_be_bound, can_be_bound_at, is_in_use};

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
    /// Binds `addr` and listens, unless a guard of any store has vacated the port. Its own guard, which has `marked` the
    /// port, may.
    ///
    /// # Errors
    ///
    /// What the system says; [`is_taken`] tells whether the port is taken, [`is_absent`] whether the machine has no such
    /// address.
    pub(crate) fn bind(addr: SocketAddr, marked: bool) -> io::Result<Self> {
        let is_vacated = || !marked && marker::vacater_of(addr.port()).is_some();
        if cfg!(target_os = "linux") {
            // Without `SO_REUSEADDR`, which would bind beside a vacated port. It is set once we listen: earlier, another
            // guard could bind beside us, and listen once we have vacated.
            let socket = Self::socket(addr)?;
            match socket.bind(&addr.into()) {
                Ok(()) => {
                    socket.listen(BACKLOG)?;
                    socket.set_reuse_address(true)?;
                    return Ok(Self::of(socket));
                }
                Err(error) if !is_taken(&error) || is_vacated() => return Err(error),
                // Connections of the last run that are still closing keep the port for a minute from such a bind.
                Err(_) => {}
            }
        }
        let listener = Self::reserve(addr)?;
        listener.socket.listen(BACKLOG)?;
        // Another guard may have vacated it in between.
        if is_vacated() {
            listener.close()?;
            return Err(io::ErrorKind::AddrInUse.into());
        }
        Ok(listener)
    }

    fn socket(addr: SocketAddr) -> io::Result<Socket> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
        if addr.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        Ok(socket)
    }

    fn of(socket: Socket) -> Self {
        Self {
            socket,
            shared: false,
        }
    }

    /// Binds `addr`, and does not listen.
    fn reserve(addr: SocketAddr) -> io::Result<Self> {
        let socket = Self::socket(addr)?;
        sys::prepare_to_hold(&socket)?;
        // By number, always: a port that the system chose is lost by a shutdown.
        socket.bind(&addr.into())?;
        Ok(Self::of(socket))
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

/// What the system calls the socket, where it has a number: no other socket has it as long as this one is open.
#[cfg(target_os = "linux")]
pub(crate) fn number(listener: &TcpListener) -> Option<u64> {
    rustix::fs::fstat(listener).ok().map(|found| found.st_ino)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn number(_listener: &TcpListener) -> Option<u64> {
    None
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
    sys::prepare(&socket)?;
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
    // Not every system tells of a socket that it listens, but a connection has another end.
    if is_bound && is_stream && socket.peer_addr().is_err() {
        Ok(socket.into())
    } else {
        Err(socket.into())
    }
}

/// Whether a bind or listen failed because the port is taken.
pub(crate) fn is_taken(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrInUse
        // So Windows reports a port that is held exclusively, or that it has excluded.
        || cfg!(windows) && error.kind() == io::ErrorKind::PermissionDenied
}

/// Whether a bind failed because the machine has no such address, or not even its family.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable || is_family_missing(error)
}

fn is_family_missing(error: &io::Error) -> bool {
    error.raw_os_error() == Some(sys::FAMILY_MISSING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_a_bind_failed_is_told_apart() {
        use io::ErrorKind::{AddrInUse, AddrNotAvailable, OutOfMemory, PermissionDenied};

        let no_family = io::Error::from_raw_os_error(sys::FAMILY_MISSING);
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
        use std::net::Ipv4Addr;

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
                    sys::prepare(&socket).unwrap();
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
                let listener = Listener::bind((ip, free_port()).into(), false).unwrap();
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
