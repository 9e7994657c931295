//! One way in which a port is taken, in the words of errors and of the command.

use std::fmt;
use std::net::SocketAddr;
use std::process;

use super::found::{Found, State};
use super::occupant::{Occupant, Protocol};
use crate::marker::Vacater;

/// What has a port.
#[derive(Debug, Clone)]
pub(crate) enum Claim {
    /// A guard has vacated it for its server.
    Vacated(Vacater),
    /// A socket that the system lists.
    Socket {
        protocol: Protocol,
        local: SocketAddr,
        state: State,
        by: By,
    },
    /// It cannot be bound, and the system lists nothing.
    Unlisted,
}

/// Whose socket it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum By {
    Process(Occupant),
    /// A process that may not be looked into.
    User(u32),
    Unknown,
}

impl Claim {
    /// One for each process that has the socket open, or one.
    pub(super) fn of(found: &Found) -> Vec<Self> {
        let claim = |by| Self::Socket {
            protocol: found.protocol,
            local: found.local,
            state: found.state,
            by,
        };
        if found.openers.is_empty() {
            return vec![claim(found.user.map_or(By::Unknown, By::User))];
        }
        let openers = found.openers.iter();
        openers
            .map(|opener| claim(By::Process(Occupant::new(opener.pid, &opener.name))))
            .collect()
    }

    /// The process that listens.
    pub(super) fn listener(&self) -> Option<&Occupant> {
        match self {
            Self::Socket {
                state: State::Listens,
                by: By::Process(occupant),
                ..
            } => Some(occupant),
            _ => None,
        }
    }

    /// What matters most comes first: what listens, then what waits for its server, then connections.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Socket {
                state: State::Listens,
                ..
            } => 0,
            Self::Vacated(_) => 1,
            Self::Socket {
                state: State::Connected(_),
                ..
            } => 2,
            Self::Socket { .. } => 3,
            Self::Unlisted => 4,
        }
    }
}

impl Claim {
    /// Adds that the process is this very one, if so.
    fn say_if_ours(&self, f: &mut fmt::Formatter<'_>, perhaps: &str) -> fmt::Result {
        let pid = match self {
            Self::Vacated(by) => by.pid,
            Self::Socket {
                by: By::Process(occupant),
                ..
            } => Some(occupant.pid),
            Self::Socket { .. } | Self::Unlisted => None,
        };
        if pid != Some(process::id()) {
            return Ok(());
        }
        write!(f, ", which is this very process{perhaps}")
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(occupant) => occupant.fmt(f),
            Self::User(user) => write!(f, "a process of user {user}"),
            Self::Unknown => f.write_str("a process that the system does not name"),
        }
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vacated(by) => {
                write!(f, "a guard has vacated it for its server: {by}")?;
                self.say_if_ours(f, "")
            }
            Self::Socket {
                protocol: Protocol::Udp,
                local,
                by,
                ..
            } => {
                write!(f, "{by} has UDP {local}")?;
                self.say_if_ours(f, ", perhaps with a socket taken from an earlier guard")
            }
            Self::Socket {
                local, state, by, ..
            } => match state {
                State::Listens => {
                    write!(f, "{by} listens on {local}")?;
                    self.say_if_ours(f, ", perhaps with a listener taken from an earlier guard")
                }
                State::Bound => {
                    write!(f, "{by} has bound {local} and does not listen")?;
                    self.say_if_ours(f, "")
                }
                State::Connected(peer) if *by == By::Unknown => {
                    write!(f, "a connection from {local} to {peer} is being closed")
                }
                State::Connected(peer) => {
                    write!(f, "{by} has a connection from {local} to {peer}")
                }
                State::Lingers(peer) => write!(
                    f,
                    "a closed connection from {local} to {peer} lingers for at most a minute (TIME_WAIT)"
                ),
            },
            Self::Unlisted => f.write_str(
                "a socket is bound to it that does not listen, and the system does not say whose",
            ),
        }
    }
}
