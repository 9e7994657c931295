//! How a server ended.

use std::process::ExitStatus;
use std::time::SystemTime;

/// The end of a server's first process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) status: ExitStatus,
    pub(crate) at: SystemTime,
}

/// What is left of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Life {
    /// The first process's end, once it has ended.
    pub(crate) first: Option<End>,
    /// Whether none of its processes is alive.
    pub(crate) is_over: bool,
}

/// How a server was stopped: see [`Server::stop`](crate::Server::stop).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    pub(super) status: ExitStatus,
    pub(super) was_killed: bool,
}

impl Stopped {
    /// The status of the server's first process.
    #[must_use]
    pub fn status(self) -> ExitStatus {
        self.status
    }

    /// Whether the server, or a descendant that it left behind, did not end within the grace time and was killed.
    #[must_use]
    pub fn was_killed(self) -> bool {
        self.was_killed
    }
}
