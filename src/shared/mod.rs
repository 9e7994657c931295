//! Shared servers: one server that many tests use, in any number of processes.
//!
//! Kernel locks alone say who is there; each server has a folder with them (see [`place`]):
//!
//! - the *gate*, held for the instant of joining and of ending;
//! - a file for each *user*, locked for as long as it uses the server;
//! - the *keeper*, held by the process that owns the server's lease and child, for as long as it lives;
//! - the *life*, held by the keeper and the guardian of its server, for as long as anything of the server lives.
//!
//! The first user starts the keeper, which is this program again, caught before `main`. When there has been no user for
//! the linger time, the keeper looks again under the gate, stops the server and ends. Killed users, keepers and servers
//! need no clean-up, because the kernel has released their locks.

use std::net::SocketAddr;
use std::process;
use std::sync::Arc;
use std::thread;

use crate::error::{Error, ErrorKind, Printed};
use crate::server::log::Log;

mod fingerprint;
mod join;
#[cfg(unix)]
mod keeper;
mod once;
mod order;
mod place;
#[cfg(any(feature = "cli", fuzzing))]
mod seen;
mod starting;
mod state;
mod users;

pub(crate) use join::join_for;
#[cfg(unix)]
pub(crate) use keeper::keep_if_asked;
pub use once::OnceError;
use place::Place;
#[cfg(any(feature = "cli", fuzzing))]
pub use seen::Seen;
#[cfg(any(feature = "cli", fuzzing))]
pub(crate) use seen::{all, stop};
use state::{Phase, State};
use users::Use;

/// One use of a shared server: see [`Request::start_shared`](crate::Request::start_shared).
///
/// The server runs as long as this or any other use of it lives, in any process, and for the linger time after the last
/// one. Dropping this value ends the use, not the server.
///
/// When a test panics, stderr shows the server's last lines, and how it ended if it has. The lines may be about other
/// tests, which use the server too.
#[derive(Debug)]
#[must_use = "the use ends when this is dropped"]
pub struct SharedServer {
    server: Arc<Known>,
    /// A forked child shares its parent's use.
    owner: u32,
    #[cfg_attr(
        not(feature = "cli"),
        expect(dead_code, reason = "its drop ends the use")
    )]
    its_use: Use,
}

/// What is known of the server, beyond the use of it.
#[derive(Debug)]
pub(crate) struct Known {
    place: Place,
    start: String,
    id: u32,
    addr: SocketAddr,
    /// None if it was removed at this very moment.
    log: Option<Log>,
}

impl SharedServer {
    /// Where the server listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.server.addr
    }

    /// The port that the server listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.server.addr.port()
    }

    /// The process id of the server's first process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.server.id
    }

    /// What the server has printed since it was started, for all tests. Reading consumes nothing.
    ///
    /// # Errors
    ///
    /// [`Server`](crate::ErrorKind::Server) when its log cannot be read.
    pub fn output(&self) -> Result<String, Error> {
        let Known { place, log, .. } = &*self.server;
        let text = log.as_ref().map_or(Ok(String::new()), Log::text);
        text.map_err(|error| {
            let what = format!("the log of {} cannot be read: {error}", self.server.shown());
            place.error(ErrorKind::Server, what)
        })
    }

    /// Whether this server runs. Another server, started after this one ended, does not count.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.server.is_running()
    }

    /// The lock of the use: a copy of it that another program has is a use as well.
    #[cfg(all(unix, any(feature = "cli", fuzzing)))]
    pub(crate) fn lock(&self) -> Option<&crate::lease::Lock> {
        self.its_use.lock()
    }

    /// What is known of it when the use has ended.
    pub(crate) fn known(&self) -> Arc<Known> {
        Arc::clone(&self.server)
    }
}

impl Known {
    fn is_running(&self) -> bool {
        // Before the state, as a keeper publishes the end before its own.
        let has_keeper = self.place.has_keeper().unwrap_or(false);
        has_keeper && matches!(self.phase(), Some(Phase::Ready { .. }))
    }

    /// How far this very server has come.
    fn phase(&self) -> Option<Phase> {
        let state = State::read(&self.place).ok()??;
        (state.start == self.start).then_some(state.phase)
    }

    fn shown(&self) -> String {
        format!(
            "the shared server of `{}` (process {})",
            self.place.id(),
            self.id
        )
    }

    /// What a test that has failed says about the server on stderr, once.
    pub(crate) fn say_last_lines(&self) {
        let fate = match self.phase() {
            Some(Phase::Ended(how)) => format!(" {how}"),
            _ if !self.is_running() => " has ended".to_owned(),
            _ => String::new(),
        };
        let tail = self.log.as_ref().and_then(Log::tail);
        let tail = match tail {
            None if fate.is_empty() => return,
            tail => tail.unwrap_or_default(),
        };
        if !fate.is_empty() || !Printed::is_empty(&tail) {
            tail.mark_seen();
            eprintln!("port-for: {}{fate}{tail}", self.shown());
        }
    }
}

impl Drop for SharedServer {
    fn drop(&mut self) {
        if thread::panicking() && self.owner == process::id() {
            self.server.say_last_lines();
        }
    }
}
