//! What went wrong, as data: one variant for each message.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::host::ParseHostError;
use super::kind::ErrorKind;
use super::printed::Printed;
use crate::who::{Holder, Occupants};

/// The private side of [`Error`]: one variant a message.
#[derive(Debug)]
pub(crate) enum Cause {
    InvalidId {
        id: String,
        rule: &'static str,
    },

    Config {
        variable: &'static str,
        value: String,
        valid: &'static str,
        /// Empty, or `: ` and where in the value the fault lies.
        detail: String,
    },

    Store {
        /// A verb and its object, to stand before the path: "read the store".
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },

    Untrusted {
        path: PathBuf,
        why: String,
    },

    StoreLocked {
        path: PathBuf,
        holder: Holder,
        waited: Duration,
    },

    Corrupt {
        path: PathBuf,
        source: serde_json::Error,
    },

    HasOtherPort {
        id: String,
        wanted: u16,
        has: u16,
        store: PathBuf,
    },

    PortOfOther {
        id: String,
        wanted: u16,
        other: String,
        store: PathBuf,
    },

    NotAPort {
        id: Option<String>,
    },

    /// What is wrong with a request for ports that belong together, or in the way of it.
    Group {
        kind: ErrorKind,
        id: Option<String>,
        /// A sentence, with what to do.
        what: String,
        /// What else can be done: release this id of the store.
        release: Option<(PathBuf, String)>,
    },

    Busy {
        id: Option<String>,
        port: u16,
        holder: Holder,
        /// The server of this process that keeps it, whose guard is gone.
        server: Option<String>,
        waited: Duration,
        lease: PathBuf,
        advice: &'static str,
    },

    Occupied {
        id: Option<String>,
        port: u16,
        occupants: Occupants,
        /// The test of this process that took the listener which is in the way.
        left_by: Option<String>,
        /// Where the id can be released: the store, and what it calls the id.
        key: Option<(PathBuf, String)>,
        waited: Duration,
        source: io::Error,
    },

    Bind {
        id: Option<String>,
        addr: SocketAddr,
        source: io::Error,
        advice: &'static str,
    },

    /// A number is wanted of a request that has no id.
    NoId,

    /// A shared server is wanted of one.
    SharedWithoutId,

    UnknownHost {
        id: String,
        source: ParseHostError,
    },

    OtherStore {
        id: String,
        store: PathBuf,
        ours: PathBuf,
    },

    Exhausted {
        id: Option<String>,
        /// Why there are no ports to consider, and what to do.
        why_none: Option<String>,
        considered: usize,
        assigned: usize,
        held: usize,
        taken: usize,
        store: PathBuf,
        /// Of ports that belong together: what they are, and the largest block that there is room for.
        group: Option<(String, usize)>,
    },

    NoneAbove {
        first: u16,
    },

    Twice {
        id: Option<String>,
        /// For a port without an id.
        port: Option<u16>,
    },

    Deadlock {
        id: Option<String>,
        port: u16,
    },

    Handoff {
        /// A verb and its object: "take the listener".
        wanted: &'static str,
        id: Option<String>,
        port: u16,
        /// A sentence about the guard.
        state: String,
        advice: &'static str,
        source: Option<io::Error>,
    },

    Unsupported {
        /// A verb and its object, as above.
        wanted: &'static str,
        advice: &'static str,
    },

    Start {
        command: String,
        id: Option<String>,
        port: u16,
        source: io::Error,
        advice: String,
        /// Empty, or why the guard does not hold the port again.
        held: String,
    },

    Server {
        kind: ErrorKind,
        port: u16,
        /// Command and process id.
        server: String,
        /// What it did, and what to do about it.
        what: String,
        /// Empty, or the last lines of its output on lines of their own.
        output: Printed,
        source: Option<io::Error>,
    },

    /// What is wrong with a shared server, or the way to it.
    Shared {
        kind: ErrorKind,
        id: String,
        /// A sentence, with what to do and the last lines of the server's output.
        what: String,
        output: Printed,
        source: Option<io::Error>,
    },

    /// A condition that makes no sense.
    Condition {
        server: String,
        port: u16,
        what: String,
    },

    /// A recipe that cannot be followed.
    Recipe {
        command: String,
        id: Option<String>,
        port: u16,
        /// A sentence about what is wrong with it, and what to do.
        what: String,
        output: Printed,
    },
}

impl Cause {
    pub(super) fn kind(&self) -> ErrorKind {
        match self {
            Self::InvalidId { .. } => ErrorKind::InvalidId,
            Self::NoId
            | Self::SharedWithoutId
            | Self::NotAPort { .. }
            | Self::UnknownHost { .. }
            | Self::OtherStore { .. }
            | Self::Condition { .. } => ErrorKind::InvalidRequest,
            Self::Config { .. } => ErrorKind::Config,
            Self::Store { .. } | Self::Untrusted { .. } | Self::StoreLocked { .. } => {
                ErrorKind::Store
            }
            Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::HasOtherPort { .. } | Self::PortOfOther { .. } => ErrorKind::Conflict,
            Self::Busy { .. } => ErrorKind::Busy,
            Self::Occupied { .. } => ErrorKind::Occupied,
            Self::Bind { .. } => ErrorKind::Bind,
            Self::Exhausted { .. } | Self::NoneAbove { .. } => ErrorKind::Exhausted,
            Self::Deadlock { .. } | Self::Twice { .. } => ErrorKind::Deadlock,
            Self::Handoff { .. } => ErrorKind::Handoff,
            Self::Unsupported { .. } => ErrorKind::Unsupported,
            Self::Start { .. } | Self::Recipe { .. } => ErrorKind::NotStarted,
            Self::Server { kind, .. } | Self::Shared { kind, .. } | Self::Group { kind, .. } => {
                *kind
            }
        }
    }

    /// In the form that an `unwrap` prints.
    pub(super) fn mark_seen(&self) {
        if let Self::Server { output, .. }
        | Self::Shared { output, .. }
        | Self::Recipe { output, .. } = self
        {
            output.mark_seen();
        }
    }

    pub(super) fn id(&self) -> Option<&str> {
        match self {
            Self::InvalidId { id, .. }
            | Self::UnknownHost { id, .. }
            | Self::OtherStore { id, .. }
            | Self::Shared { id, .. }
            | Self::HasOtherPort { id, .. }
            | Self::PortOfOther { id, .. } => Some(id),
            Self::NotAPort { id }
            | Self::Group { id, .. }
            | Self::Busy { id, .. }
            | Self::Occupied { id, .. }
            | Self::Exhausted { id, .. }
            | Self::Twice { id, .. }
            | Self::Deadlock { id, .. }
            | Self::Bind { id, .. }
            | Self::Handoff { id, .. }
            | Self::Start { id, .. }
            | Self::Recipe { id, .. } => id.as_deref(),
            _ => None,
        }
    }

    pub(super) fn port(&self) -> Option<u16> {
        match self {
            Self::HasOtherPort { wanted: port, .. }
            | Self::PortOfOther { wanted: port, .. }
            | Self::Busy { port, .. }
            | Self::Occupied { port, .. }
            | Self::Deadlock { port, .. }
            | Self::Handoff { port, .. }
            | Self::Start { port, .. }
            | Self::Recipe { port, .. }
            | Self::Condition { port, .. }
            | Self::Server { port, .. } => Some(*port),
            Self::Bind { addr, .. } => Some(addr.port()),
            Self::Twice { port, .. } => *port,
            _ => None,
        }
    }

    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::Store { path, .. }
            | Self::Untrusted { path, .. }
            | Self::StoreLocked { path, .. }
            | Self::Corrupt { path, .. }
            | Self::OtherStore { store: path, .. }
            | Self::HasOtherPort { store: path, .. }
            | Self::PortOfOther { store: path, .. }
            | Self::Busy { lease: path, .. }
            | Self::Exhausted { store: path, .. } => Some(path),
            _ => None,
        }
    }

    pub(super) fn holder(&self) -> Option<&Holder> {
        match self {
            Self::StoreLocked { holder, .. } | Self::Busy { holder, .. } => Some(holder),
            _ => None,
        }
    }

    pub(super) fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store { source, .. }
            | Self::Occupied { source, .. }
            | Self::Bind { source, .. }
            | Self::Start { source, .. } => Some(source),
            Self::Corrupt { source, .. } => Some(source),
            Self::UnknownHost { source, .. } => Some(source),
            Self::Handoff { source, .. }
            | Self::Server { source, .. }
            | Self::Shared { source, .. } => source.as_ref().map(|source| source as _),
            _ => None,
        }
    }
}
