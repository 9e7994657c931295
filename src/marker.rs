//! Markers of vacated ports: how guards of all stores on a machine see each other.
//!
//! A vacated port is bound, and nothing listens there, so that the guard's own server can bind it. A guard of another store
//! could as well. The marker keeps it away: an abstract Unix socket, named after the port. It has the scope that the port
//! has, a network namespace; it is gone with its process; and it tells whose it is. Linux has such sockets, no other system.
//!
//! Where a sandbox forbids them, there is no marker, and guards of one store are kept apart by their leases alone.

use std::fmt;
use std::io;

/// The process that has vacated a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Vacater {
    /// None if it runs where its id means nothing here: in another process namespace.
    pub(crate) pid: Option<u32>,
    /// None if it was looked for so often that the system does not say any more.
    pub(crate) user: Option<u32>,
}

/// `process 4242 (`cargo test`), user 1000`.
impl fmt::Display for Vacater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "process {pid}")?,
            None => f.write_str("a process out of sight")?,
        }
        #[cfg(target_os = "linux")]
        if let Some(command) = self.pid.and_then(crate::proc::command_line) {
            write!(f, " (`{}`)", crate::text::printable(&command))?;
        }
        if let Some(user) = self.user {
            write!(f, ", user {user}")?;
        }
        Ok(())
    }
}

#[cfg(target_os = "linux")]
pub(crate) use linux::{Marker, vacater_of};

#[cfg(not(target_os = "linux"))]
pub(crate) use other::{Marker, vacater_of};

#[cfg(target_os = "linux")]
mod linux {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener};
    use std::time::Duration;

    use rustix::io::Errno;

    use super::{Vacater, io};
    use crate::linux_socket;
    use crate::wait::Wait;

    fn name(port: u16) -> String {
        format!("port-for/{port}")
    }

    /// A marker that is ours.
    #[derive(Debug)]
    pub(crate) struct Marker {
        socket: UnixListener,
        /// The process that made it: a forked child shares it with its parent, whose it is.
        process: u32,
    }

    impl Marker {
        /// How long a copy of the last holder's marker may live on: in a child that was forked, until it runs its program.
        const COPIES: Duration = Duration::from_millis(500);

        /// Marks the port as vacated by this process; none where the system has no such sockets for us.
        ///
        /// # Errors
        ///
        /// `AddrInUse` when another process has marked it.
        pub(crate) fn set(port: u16) -> io::Result<Option<Self>> {
            let addr = SocketAddr::from_abstract_name(name(port))?;
            let mut wait = Wait::new(Self::COPIES);
            loop {
                match UnixListener::bind_addr(&addr) {
                    Ok(socket) => {
                        let process = std::process::id();
                        return Ok(Some(Self { socket, process }));
                    }
                    Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                        if !wait.pause() {
                            return Err(error);
                        }
                    }
                    Err(error) if is_forbidden(&error) => return Ok(None),
                    Err(error) => return Err(error),
                }
            }
        }

        /// For a program that is to keep the port vacated after this one.
        #[cfg(feature = "cli")]
        pub(crate) fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
            use std::os::fd::AsFd;
            self.socket.as_fd()
        }
    }

    impl Drop for Marker {
        fn drop(&mut self) {
            // A child that was just forked has a copy: closing alone would leave the port marked until it runs its program.
            if self.process == std::process::id() {
                let _ = linux_socket::shut_down(&self.socket);
            }
        }
    }

    fn is_forbidden(error: &io::Error) -> bool {
        let forbidden = [Errno::PERM, Errno::ACCESS, Errno::AFNOSUPPORT, Errno::NOSYS];
        let code = error.raw_os_error();
        forbidden
            .iter()
            .any(|errno| Some(errno.raw_os_error()) == code)
    }

    /// Who has vacated the port; none if it is not marked. Does not block.
    pub(crate) fn vacater_of(port: u16) -> Option<Vacater> {
        match linux_socket::listener_at(&name(port)) {
            Ok(peer) => Some(Vacater {
                // 0 for a process in another namespace.
                pid: u32::try_from(peer.pid).ok().filter(|&pid| pid > 0),
                user: Some(peer.uid),
            }),
            // Its backlog is full of looks like this one, which are not accepted: it is there all the same.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Some(Vacater {
                pid: None,
                user: None,
            }),
            // What the system forbids tells nothing.
            Err(_) => None,
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_marker_tells_whose_it_is_until_it_is_dropped() {
            // Far from every port of the pool.
            let port = 65_001;
            assert_eq!(vacater_of(port), None);
            let marker = Marker::set(port).unwrap().unwrap();
            let ours = Vacater {
                pid: Some(std::process::id()),
                user: Some(rustix::process::getuid().as_raw()),
            };
            assert_eq!(vacater_of(port), Some(ours));
            // However often it is looked for.
            assert!((0..1000).all(|_| vacater_of(port).is_some()));
            assert_eq!(
                Marker::set(port).unwrap_err().kind(),
                io::ErrorKind::AddrInUse
            );
            drop(marker);
            assert_eq!(vacater_of(port), None);
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use super::{Vacater, io};

    /// There is none here.
    #[derive(Debug)]
    pub(crate) enum Marker {}

    impl Marker {
        #[expect(clippy::unnecessary_wraps, reason = "same signature as on Linux")]
        pub(crate) fn set(_port: u16) -> io::Result<Option<Self>> {
            Ok(None)
        }
    }

    pub(crate) fn vacater_of(_port: u16) -> Option<Vacater> {
        None
    }
}
