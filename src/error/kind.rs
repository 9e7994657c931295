//! The kinds of errors.

use std::fmt;

/// What an [`Error`](crate::Error) is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An id has 1 to 255 bytes, no control characters, and does not begin with `-`: this one breaks that.
    InvalidId,
    /// The request is not valid: port 0, a host that is neither an address nor `localhost`, a block that cannot be,
    /// requests of two stores in one call.
    InvalidRequest,
    /// An environment variable has a value that cannot be used.
    Config,
    /// The store, its lock or a lease file cannot be read or written, or is not to be trusted.
    Store,
    /// The file of the store is damaged. It is not changed.
    Corrupt,
    /// The id has another port than the exact one that was asked for, or that port is another id's.
    Conflict,
    /// A live holder has the port and did not release it in time.
    Busy,
    /// A process without a lease listens on the port.
    Occupied,
    /// The operating system refuses to bind the port, and not because it is taken.
    Bind,
    /// No port is left to assign.
    Exhausted,
    /// This thread, or the task whose attribute asks for the port, holds it already: the wait would never end.
    Deadlock,
    /// The guard is in a state that does not allow the call.
    Handoff,
    /// This system cannot do it.
    Unsupported,
    /// The server's command cannot be started.
    NotStarted,
    /// The server ended before it was ready.
    Exited,
    /// The server was not ready in time.
    NotReady,
    /// Another process listens where the server should.
    WrongServer,
    /// The server cannot be observed, signalled or ended.
    Server,
}

impl ErrorKind {
    /// The kind that is called so where another process has said it, in the form of `Debug`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let known = [
            Self::InvalidId,
            Self::InvalidRequest,
            Self::Config,
            Self::Store,
            Self::Corrupt,
            Self::Conflict,
            Self::Busy,
            Self::Occupied,
            Self::Bind,
            Self::Exhausted,
            Self::Deadlock,
            Self::Handoff,
            Self::Unsupported,
            Self::NotStarted,
            Self::Exited,
            Self::NotReady,
            Self::WrongServer,
            Self::Server,
        ];
        known.into_iter().find(|kind| format!("{kind:?}") == name)
    }
}

/// A few words, such as `no port left`.
impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidId => "invalid id",
            Self::InvalidRequest => "invalid request",
            Self::Config => "invalid environment variable",
            Self::Store => "store unusable",
            Self::Corrupt => "store corrupt",
            Self::Conflict => "conflicting port",
            Self::Busy => "port held",
            Self::Occupied => "port occupied",
            Self::Bind => "bind refused",
            Self::Exhausted => "no port left",
            Self::Deadlock => "deadlock",
            Self::Handoff => "port not at hand",
            Self::Unsupported => "unsupported",
            Self::NotStarted => "server not started",
            Self::Exited => "server exited",
            Self::NotReady => "server not ready",
            Self::WrongServer => "wrong server",
            Self::Server => "server out of control",
        })
    }
}
