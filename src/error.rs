//! Everything that can go wrong, in one opaque type.
//!
//! Each message answers three questions: what was wanted, what stood in the way (who, where), what to do now.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::holder::Holder;
#[cfg(feature = "cli")]
use crate::import::Faults;
use crate::occupant::Occupants;
#[cfg(feature = "cli")]
use crate::python_config::Fault;
use crate::wait::Wait;

/// Why a port could not be given, handed over, or forgotten.
///
/// The message is written for the person who reads a failed test: it names the id and the port, who or what is in the
/// way, and what to do about it. Code that wants to react matches on [`kind`](Error::kind).
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

/// What an [`Error`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An id has 1 to 255 bytes, no control characters, and does not begin with `-`: this one breaks that.
    InvalidId,
    /// An environment variable has a value that cannot be used.
    Config,
    /// The store, its lock or a lease file cannot be read or written, or is not to be trusted.
    Store,
    /// The store's text is not what this crate writes. It is left as it is.
    Corrupt,
    /// The id has another port than the exact one that was asked for, or that port is another id's.
    Conflict,
    /// A live holder has the port and did not let go in time.
    Busy,
    /// Somebody without a lease listens on the port.
    Occupied,
    /// The operating system refuses to bind the port, and not because somebody else has it.
    Bind,
    /// No port is left to assign.
    Exhausted,
    /// This thread holds the port already, so waiting for it would never end; or this task, whose attribute asks for it.
    Deadlock,
    /// The guard is in a state that does not allow the call.
    Handoff,
    /// The server's process failed.
    Server,
}

impl Error {
    /// What the error is about.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match *self.0 {
            Cause::InvalidId { .. } => ErrorKind::InvalidId,
            Cause::Config { .. } => ErrorKind::Config,
            Cause::Store { .. } | Cause::Untrusted { .. } | Cause::StoreLocked { .. } => {
                ErrorKind::Store
            }
            Cause::Corrupt { .. } => ErrorKind::Corrupt,
            #[cfg(feature = "cli")]
            Cause::ImportUnread { .. } => ErrorKind::Store,
            #[cfg(feature = "cli")]
            Cause::Import { .. } => ErrorKind::Conflict,
            Cause::HasOtherPort { .. } | Cause::PortOfOther { .. } | Cause::NotAPort { .. } => {
                ErrorKind::Conflict
            }
            Cause::Busy { .. } => ErrorKind::Busy,
            Cause::Occupied { .. } => ErrorKind::Occupied,
            Cause::Bind { .. } | Cause::UnknownHost { .. } => ErrorKind::Bind,
            Cause::Exhausted { .. } | Cause::NoneAbove { .. } => ErrorKind::Exhausted,
            Cause::Deadlock { .. } | Cause::Twice { .. } => ErrorKind::Deadlock,
            Cause::Handoff { .. } => ErrorKind::Handoff,
            Cause::Start { .. } | Cause::Server { .. } => ErrorKind::Server,
        }
    }
}

impl Error {
    /// How long it was waited for the store's lock, if this is what the error is about.
    pub(crate) fn waited_for_store(&mut self) -> Option<&mut Duration> {
        match &mut *self.0 {
            Cause::StoreLocked { waited, .. } => Some(waited),
            _ => None,
        }
    }
}

impl From<Cause> for Error {
    fn from(cause: Cause) -> Self {
        Self(Box::new(cause))
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
        let end = message.find('\n').unwrap_or(message.len());
        write!(f, "{} [{kind:?}]{}", &message[..end], &message[end..])
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&*self.0)
    }
}

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
        id: String,
    },

    Busy {
        id: String,
        port: u16,
        holder: Holder,
        waited: Duration,
        lease: PathBuf,
        advice: &'static str,
    },

    Occupied {
        id: String,
        port: u16,
        occupants: Occupants,
        /// That, or how it is said of UDP.
        listens_there: &'static str,
        waited: Duration,
        source: io::Error,
    },

    Bind {
        id: String,
        addr: SocketAddr,
        source: io::Error,
        advice: &'static str,
    },

    UnknownHost {
        id: String,
        host: String,
    },

    Exhausted {
        id: String,
        considered: usize,
        assigned: usize,
        held: usize,
        taken: usize,
        store: PathBuf,
    },

    #[cfg(feature = "cli")]
    ImportUnread {
        path: PathBuf,
        source: io::Error,
    },

    #[cfg(feature = "cli")]
    Import {
        path: PathBuf,
        store: PathBuf,
        faults: Vec<Fault>,
    },

    NoneAbove {
        first: u16,
    },

    Twice {
        id: String,
    },

    Deadlock {
        id: String,
        port: u16,
    },

    Handoff {
        /// A verb and its object: "take the listener".
        wanted: &'static str,
        id: String,
        port: u16,
        /// A sentence about the guard.
        state: String,
        advice: &'static str,
        source: Option<io::Error>,
    },

    Start {
        command: String,
        id: String,
        port: u16,
        source: io::Error,
        advice: &'static str,
        /// Empty, or why the guard does not hold the port again.
        held: String,
    },

    Server {
        /// Command and process id.
        server: String,
        /// What it did, and what to do about it.
        what: String,
        /// Empty, or the last lines of its output on lines of their own.
        output: String,
        source: Option<io::Error>,
    },
}

/// What was wanted, what stood in the way, what to do now.
impl fmt::Display for Cause {
    #[expect(
        clippy::too_many_lines,
        reason = "one message a variant, and nothing else"
    )]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidId { id, rule } => write!(f, "{id:?} cannot be an id: {rule}"),
            Self::Config {
                variable,
                value,
                valid,
                detail,
            } => write!(
                f,
                "the environment variable `{variable}` is {value:?}, which is not {valid}{detail}"
            ),
            Self::Store {
                action,
                path,
                source,
            } => write!(
                f,
                "cannot {action} `{}`: {source}; to keep the store elsewhere, set `PORT_FOR_STORE` to a file in a folder that \
                 you can write",
                path.display()
            ),
            Self::Untrusted { path, why } => write!(
                f,
                "will not use `{}`: {why}; set `PORT_FOR_STORE` to a file in a folder of your own",
                path.display()
            ),
            Self::StoreLocked {
                path,
                holder,
                waited,
            } => write!(
                f,
                "cannot change the store: its lock `{}` was held for {} by {holder}; let it end, or wait longer with \
                 `PORT_FOR_TIMEOUT` (seconds)",
                path.display(),
                Seconds(*waited)
            ),
            Self::Corrupt { path, source } => write!(
                f,
                "the store `{}` is not what this crate writes: {source}; it is left as it is: mend that place by hand, or \
                 move the file away to start with an empty store",
                path.display()
            ),
            Self::HasOtherPort {
                id,
                wanted,
                has,
                store,
            } => write!(
                f,
                "`{id}` cannot have exactly port {wanted}: it has port {has} in `{}`; ask without an exact port, or release \
                 `{id}` first",
                store.display()
            ),
            Self::PortOfOther {
                id,
                wanted,
                other,
                store,
            } => write!(
                f,
                "`{id}` cannot have exactly port {wanted}: that is the port of `{other}` in `{}`; ask for another port, or \
                 release `{other}` first",
                store.display()
            ),
            Self::NotAPort { id } => write!(
                f,
                "`{id}` cannot have exactly port 0: it stands for no port; ask for one from 1 to 65535"
            ),
            Self::Busy {
                id,
                port,
                holder,
                waited,
                lease,
                advice,
            } => {
                write!(f, "`{id}` (port {port}) is held by {holder}")?;
                let lease = lease.display();
                if *waited > Wait::GLANCE {
                    write!(f, "; waited {} for the lease `{lease}`", Seconds(*waited))?;
                } else {
                    write!(f, "; the lease is `{lease}`")?;
                }
                write!(f, "; {advice}")
            }
            Self::Occupied {
                id,
                port,
                occupants,
                listens_there,
                waited,
                ..
            } => write!(
                f,
                "`{id}` has port {port}, but somebody {listens_there} without a lease: {occupants}; waited {}; end that server, \
                 or release `{id}` (`port-for --unbind`) to have another port assigned",
                Seconds(*waited)
            ),
            Self::Bind {
                id,
                addr,
                source,
                advice,
            } => write!(f, "cannot bind {addr} for `{id}`: {source}; {advice}"),
            Self::UnknownHost { id, host } => write!(
                f,
                "cannot hold the port of `{id}` at `{host}`: it is no IP address, and names are not looked up; use an address \
                 of this machine, such as \"127.0.0.1\" or \"::\", or \"localhost\""
            ),
            Self::Exhausted {
                id,
                considered,
                assigned,
                held,
                taken,
                store,
            } => write!(
                f,
                "no port is left for `{id}`: of {considered} ports considered, {assigned} are assigned to other ids in `{}`, \
                 {held} are held and {taken} are in use; release ids that are no longer needed, or widen `PORT_FOR_POOL`",
                store.display()
            ),
            #[cfg(feature = "cli")]
            Self::ImportUnread { path, source } => {
                write!(f, "cannot read `{}` to import it: {source}", path.display())
            }
            #[cfg(feature = "cli")]
            Self::Import {
                path,
                store,
                faults,
            } => write!(
                f,
                "cannot import `{}` into `{}`, and nothing was changed:{}",
                path.display(),
                store.display(),
                Faults(faults)
            ),
            Self::NoneAbove { first } => write!(
                f,
                "no port from {first} to 65535 is free; ask for a lower first port"
            ),
            Self::Twice { id } => write!(
                f,
                "`{id}` is asked for twice in one call, and would wait for itself; ask for it once"
            ),
            Self::Deadlock { id, port } => write!(
                f,
                "`{id}` (port {port}) was taken by this thread or task, and waiting for oneself never ends; drop that guard \
                 first, or use it; if another thread has it by now, ask from there"
            ),
            Self::Handoff {
                wanted,
                id,
                port,
                state,
                advice,
                ..
            } => write!(
                f,
                "cannot {wanted} for `{id}` (port {port}): {state}; {advice}"
            ),
            Self::Start {
                command,
                id,
                port,
                source,
                advice,
                held,
            } => write!(
                f,
                "cannot start `{command}` for `{id}` (port {port}): {source}; {advice}{held}"
            ),
            Self::Server {
                server,
                what,
                output,
                ..
            } => write!(f, "{server} {what}{output}"),
        }
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            #[cfg(feature = "cli")]
            Self::ImportUnread { source, .. } => Some(source),
            Self::Store { source, .. }
            | Self::Occupied { source, .. }
            | Self::Bind { source, .. }
            | Self::Start { source, .. } => Some(source),
            Self::Corrupt { source, .. } => Some(source),
            Self::Handoff { source, .. } | Self::Server { source, .. } => {
                source.as_ref().map(|source| source as _)
            }
            _ => None,
        }
    }
}

/// A duration as people say it: `0.2 s`, `12 s`, `3 min`.
pub(crate) struct Seconds(pub(crate) Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            0..10 => write!(f, "{:.1} s", self.0.as_secs_f64()),
            seconds @ 10..120 => write!(f, "{seconds} s"),
            seconds @ 120..7200 => write!(f, "{} min", seconds / 60),
            seconds => write!(f, "{} h", seconds / 3600),
        }
    }
}
