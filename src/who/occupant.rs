//! A process that sits on a port without a lease.

use std::fmt;
use std::net::SocketAddr;
use std::process;

use crate::text::printable;

/// What kind of port it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Tcp,
    Udp,
}

impl Protocol {
    /// What a process does that has the port, to stand after its name.
    pub(crate) fn listens_there(self) -> &'static str {
        match self {
            Self::Tcp => "listens there",
            Self::Udp => "has it for UDP",
        }
    }
}

/// A process that listens on a port: see [`occupants`](crate::occupants).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Occupant {
    pub(super) pid: u32,
    pub(super) command: String,
    pub(super) user: Option<u32>,
}

impl Occupant {
    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Its command line where the system tells it, cut to 300 characters; else its name.
    #[must_use]
    pub fn command(&self) -> &str {
        &self.command
    }

    /// The number of the user that it runs as, where the system has such numbers.
    #[must_use]
    pub fn user(&self) -> Option<u32> {
        self.user
    }
}

impl fmt::Display for Occupant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, command, user } = self;
        write!(f, "process {pid} (`{}`", printable(command))?;
        if let Some(user) = user {
            write!(f, ", user {user}")?;
        }
        f.write_str(")")?;
        if *pid == process::id() {
            f.write_str(
                ", which is this very process, perhaps with a listener taken from an earlier guard",
            )?;
        }
        Ok(())
    }
}

/// A TCP socket that listens or a UDP socket, and a process that has it open.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) protocol: Protocol,
    pub(super) addr: SocketAddr,
    pub(super) pid: u32,
    /// What the system calls it, if it does not tell its command line.
    pub(super) name: String,
    /// Where it is known which sockets are the same, and who is whose child.
    #[cfg(target_os = "linux")]
    pub(super) origin: Origin,
}

/// What tells sockets and processes of one kin.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) inode: u64,
    pub(super) parent: Option<u32>,
}
