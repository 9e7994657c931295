//! What is asked for, as plain data. [`Request`](crate::Request), the attribute's expansion and the command fill it in.

use std::time::Duration;

use crate::group::Group;
use crate::guard::Host;
use crate::ports::PortSet;

/// One port to ask for.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) subject: Subject,
    pub(crate) preference: Preference,
    /// The ports to choose from, instead of the pool.
    pub(crate) ports: Option<PortSet>,
    pub(crate) host: Host,
    pub(crate) udp: bool,
    pub(crate) group: Group,
    /// How long to wait, instead of what the environment says.
    pub(crate) timeout: Option<Duration>,
    pub(crate) on_busy: OnBusy,
    /// How long a shared server is to live on after its last user, instead of what the environment says.
    pub(crate) linger: Option<Duration>,
    /// Whether the attribute made the id up.
    pub(crate) is_made_up: bool,
}

/// What a port is asked for by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The port of this id, which the store remembers.
    Id(String),
    /// Any free port of the pool. Nothing is remembered.
    Any,
    /// This number. Nothing is remembered.
    Port(u16),
}

/// The port that an id should have when it gets its first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Preference {
    /// The first free one of the id's own order.
    Any,
    /// This one if it is free and fit.
    Default(u16),
    /// This one.
    Exact(u16),
}

/// What to do when another process has the port at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OnBusy {
    /// Wait for it until the timeout.
    #[default]
    Wait,
    /// Give up at once, after ten milliseconds, whatever the timeout.
    Fail,
    /// If a process without a lease listens on the port, assign another one to the id, and report that on stderr. This
    /// happens after a second, in which the port's last user can end its server, or when the timeout is over.
    ///
    /// A live holder of the id is still waited for: an id never has two holders. An [exact](crate::Request::exact_port)
    /// port is not moved.
    Move,
    /// End a server that an earlier run has left on the port: one that [`start`](crate::PortGuard::start) started in a
    /// process that is gone, with everything that it started. This is reported on stderr. Any other process is waited
    /// for. Linux only; elsewhere the same as [`Wait`](Self::Wait).
    Reap,
}

impl Ask {
    pub(crate) fn new(id: String) -> Self {
        Self::of(Subject::Id(id))
    }

    pub(crate) fn of(subject: Subject) -> Self {
        Self {
            subject,
            preference: Preference::Any,
            ports: None,
            host: Host::default(),
            udp: false,
            group: Group::default(),
            timeout: None,
            on_busy: OnBusy::default(),
            linger: None,
            is_made_up: false,
        }
    }

    /// The id; none for a port without one.
    pub(crate) fn id(&self) -> Option<&str> {
        match &self.subject {
            Subject::Id(id) => Some(id),
            Subject::Any | Subject::Port(_) => None,
        }
    }

    /// 0 is no preference.
    pub(crate) fn prefer(&mut self, port: u16) {
        self.preference = if port == 0 {
            Preference::Any
        } else {
            Preference::Default(port)
        };
    }

    pub(crate) fn is_exact(&self) -> bool {
        matches!(self.preference, Preference::Exact(_))
    }
}
