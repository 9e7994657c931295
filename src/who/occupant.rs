//! A process that sits on a port without a lease.

use std::fmt;

use super::sys;
use crate::text::printable;

/// What kind of port it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Tcp,
    Udp,
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

impl Occupant {
    pub(super) fn new(pid: u32, name: &str) -> Self {
        Self {
            pid,
            command: sys::command_line(pid).unwrap_or_else(|| name.to_owned()),
            user: sys::user(pid),
        }
    }
}

impl fmt::Display for Occupant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, command, user } = self;
        write!(f, "process {pid} (`{}`", printable(command))?;
        if let Some(user) = user {
            write!(f, ", user {user}")?;
        }
        f.write_str(")")
    }
}
