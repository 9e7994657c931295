//! Everything that can go wrong, in one opaque type.

use std::fmt;
use std::io;
use std::path::Path;

use crate::who::Holder;

mod cause;
mod host;
mod kind;
mod message;
mod printed;

pub(crate) use cause::Cause;
pub use host::ParseHostError;
pub use kind::ErrorKind;
pub(crate) use printed::Printed;

/// Why a port could not be acquired, handed over or released, or a server started.
///
/// The message is for the reader of a failed test. It names the id and the port, what is in the way, and what to do.
/// Code can match on [`kind`](Error::kind).
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// let ports = port_for::PortFor::open(folder.path().join("ports.json"))?;
/// let error = ports.guard("").unwrap_err();
/// assert_eq!(error.kind(), port_for::ErrorKind::InvalidId);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
// Boxed, so that `Result<u16, Error>` stays two words.
pub struct Error(Box<Cause>);

impl Error {
    /// What the error is about.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind()
    }

    /// The id that was asked for, without its namespace, where there is one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.0.id()
    }

    /// The port that was asked for, where it is known.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.0.port()
    }

    /// The file in question: the store's, its lock's or a lease's.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.0.path()
    }

    /// The live holder that was in the way.
    #[must_use]
    pub fn holder(&self) -> Option<&Holder> {
        self.0.holder()
    }
}

impl From<Cause> for Error {
    fn from(cause: Cause) -> Self {
        Self(Box::new(cause))
    }
}

/// For functions that return [`io::Result`]; the error itself is inside.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::InvalidId | ErrorKind::InvalidRequest | ErrorKind::Config => {
                io::ErrorKind::InvalidInput
            }
            ErrorKind::Corrupt => io::ErrorKind::InvalidData,
            ErrorKind::Conflict | ErrorKind::Busy | ErrorKind::Occupied => io::ErrorKind::AddrInUse,
            ErrorKind::Exhausted => io::ErrorKind::AddrNotAvailable,
            ErrorKind::Deadlock => io::ErrorKind::Deadlock,
            ErrorKind::NotReady => io::ErrorKind::TimedOut,
            ErrorKind::Unsupported => io::ErrorKind::Unsupported,
            ErrorKind::Store
            | ErrorKind::Bind
            | ErrorKind::Handoff
            | ErrorKind::NotStarted
            | ErrorKind::Exited
            | ErrorKind::WrongServer
            | ErrorKind::Server => std::error::Error::source(&error)
                .and_then(|source| source.downcast_ref::<io::Error>())
                .map_or(io::ErrorKind::Other, io::Error::kind),
        };
        Self::new(kind, error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The message and the kind, which stands before what others have printed: `unwrap` in a test prints this form.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (message, kind) = (self.to_string(), self.kind());
        self.0.mark_seen();
        let end = message.find('\n').unwrap_or(message.len());
        write!(f, "{} [{kind:?}]{}", &message[..end], &message[end..])
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}
