//! When a server is ready, as data.

use std::ffi::{OsStr, OsString};
use std::ops::RangeInclusive;
use std::path::PathBuf;

/// When a server is ready: one condition, or several together.
///
/// The server's own processes must meet the condition within the
/// [`ready_timeout`](crate::ServerCommand::ready_timeout). A server that fails ends the wait at once.
///
/// ```
/// use port_for::Ready;
///
/// let api = Ready::http("/health").status(200..=204).header("Authorization", "Bearer test");
/// let database = Ready::listening().and(Ready::line("ready to accept connections"));
/// # let _ = (api, database);
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Ready {
    pub(super) conditions: Vec<Condition>,
    /// What is wrong with it: reported when it is used, so that it can be built in one expression.
    pub(super) fault: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    Listening,
    ListeningUdp,
    Http {
        path: String,
        status: RangeInclusive<u16>,
        headers: Vec<(String, String)>,
    },
    Line(String),
    UnixSocket(PathBuf),
    Command(Vec<OsString>),
    Notify,
}

impl Ready {
    /// Whether there is nothing to wait for, not even that it has not failed.
    pub(super) fn is_at_once(&self) -> bool {
        self.conditions.is_empty() && self.fault.is_none()
    }

    /// Whether one of the conditions is about what the server prints.
    #[cfg(feature = "cli")]
    pub(crate) fn looks_for_a_line(&self) -> bool {
        self.conditions
            .iter()
            .any(|condition| matches!(condition, Condition::Line(_)))
    }

    /// No condition.
    #[cfg(feature = "cli")]
    pub(crate) fn at_once() -> Self {
        Self {
            conditions: Vec::new(),
            fault: None,
        }
    }

    /// The server listens on its port: one of its processes, and no other.
    pub fn listening() -> Self {
        Condition::Listening.into()
    }

    /// The server has bound the UDP port with the number of its port.
    pub fn listening_udp() -> Self {
        Condition::ListeningUdp.into()
    }

    /// `GET` of this path, at the server's address, is answered with a status from 200 to 299. Redirects are not
    /// followed; `Host` and `Connection: close` are set.
    pub fn http(path: impl Into<String>) -> Self {
        let path = path.into();
        let is_bad = |c: char| c.is_control() || c.is_whitespace();
        let fault = (!path.starts_with('/') || path.contains(is_bad)).then(|| {
            format!("the HTTP path {path:?} has to begin with `/`, and to have no space or control character")
        });
        Self {
            fault,
            ..Condition::Http {
                path,
                status: 200..=299,
                headers: Vec::new(),
            }
            .into()
        }
    }

    /// The statuses that meet the [`http`](Self::http) condition, instead of 200 to 299.
    pub fn status(mut self, range: RangeInclusive<u16>) -> Self {
        if range.is_empty() {
            return self.faulty(format!("the range of HTTP statuses {range:?} is empty"));
        }
        match self.conditions.last_mut() {
            Some(Condition::Http { status, .. }) => *status = range,
            _ => return self.faulty("`status` belongs behind `Ready::http`".to_owned()),
        }
        self
    }

    /// A header for the request of an [`http`](Self::http) condition.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let (name, value) = (name.into(), value.into());
        let in_name = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || !name.chars().all(in_name) || value.contains(char::is_control) {
            return self.faulty(format!("{name:?}: {value:?} cannot be an HTTP header"));
        }
        match self.conditions.last_mut() {
            Some(Condition::Http { headers, .. }) => headers.push((name, value)),
            _ => return self.faulty("`header` belongs behind `Ready::http`".to_owned()),
        }
        self
    }

    /// The server has printed a line that contains this text, to stdout or stderr, since it was started. Escape
    /// sequences are ignored.
    pub fn line(text: impl Into<String>) -> Self {
        Condition::Line(text.into()).into()
    }

    /// A Unix domain socket at this path accepts connections. Placeholders are filled in.
    pub fn unix_socket(path: impl Into<PathBuf>) -> Self {
        Condition::UnixSocket(path.into()).into()
    }

    /// This command exits with 0, as `pg_isready` does. It is run repeatedly until then, with the server's environment
    /// and folder. Placeholders are filled in.
    pub fn command<A: AsRef<OsStr>>(
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = A>,
    ) -> Self {
        let args = args.into_iter().map(|arg| arg.as_ref().to_owned());
        let words = [program.as_ref().to_owned()].into_iter().chain(args);
        Condition::Command(words.collect()).into()
    }

    /// The server sends `READY=1` to the socket in `NOTIFY_SOCKET`, as systemd services do
    /// ([`sd_notify`](https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html)). Linux only.
    pub fn notify() -> Self {
        Condition::Notify.into()
    }

    /// Both conditions, this one and the other.
    pub fn and(mut self, other: Self) -> Self {
        self.conditions.extend(other.conditions);
        self.fault = self.fault.or(other.fault);
        self
    }

    fn faulty(mut self, fault: String) -> Self {
        self.fault.get_or_insert(fault);
        self
    }
}

impl From<Condition> for Ready {
    fn from(condition: Condition) -> Self {
        Self {
            conditions: vec![condition],
            fault: None,
        }
    }
}

impl Ready {
    pub(super) fn needs_notify(&self) -> bool {
        self.conditions.contains(&Condition::Notify)
    }

    /// What placeholders are filled in in.
    pub(super) fn texts(&self) -> impl Iterator<Item = &OsStr> {
        self.conditions
            .iter()
            .flat_map(|condition| match condition {
                Condition::UnixSocket(path) => vec![path.as_os_str()],
                Condition::Command(words) => words.iter().map(|word| &**word).collect(),
                _ => Vec::new(),
            })
    }
}
