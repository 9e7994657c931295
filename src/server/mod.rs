//! A server in a process of its own, on a guarded port.

use std::fmt;
use std::net::SocketAddr;
use std::process;
use std::sync::Arc;
use std::thread;

use crate::error::{Cause, Error, ErrorKind, Printed};
use crate::guard::{Beside, HoldOfServer, PortGuard, Tenancy};

mod command;
mod end;
#[cfg(unix)]
mod family;
#[cfg(feature = "cli")]
mod follower;
mod http;
mod life;
mod lines;
#[cfg_attr(not(unix), allow(dead_code, reason = "no keeper reads it there"))]
pub(crate) mod log;
mod mark;
mod output;
#[cfg_attr(
    not(feature = "cli"),
    allow(unreachable_pub, reason = "for the command")
)]
mod placeholder;
#[cfg_attr(not(unix), allow(dead_code, reason = "no keeper follows it there"))]
mod portable;
mod probe;
mod ready;
mod recipe;
mod running;
mod signal;
mod start;
mod sys;
#[cfg(feature = "tokio")]
mod twins;
mod waiting;

pub use command::ServerCommand;
use end::End;
pub use end::Stopped;
#[cfg(feature = "cli")]
pub use follower::Follower;
pub(crate) use mark::reap;
use output::Output;
#[cfg(feature = "cli")]
pub use placeholder::{Values, fill};
pub use ready::Ready;
use recipe::Recipe;
pub(crate) use running::left_on;
pub use signal::Signal;
pub(crate) use start::start_for;
use sys::Process;
#[cfg(all(windows, feature = "cli"))]
pub(crate) use sys::job::Job;
#[cfg(unix)]
pub(crate) use sys::{first_argument, guard_if_asked, hindrance, keep_in_guardians, run_again};

/// A server on a guard's port, made by [`PortGuard::start`], [`PortGuard::spawn`](crate::PortGuard::spawn) or
/// [`PortGuard::spawn_activated`](crate::PortGuard::spawn_activated).
///
/// It borrows nothing, so a struct or a static can keep it beside the guard of its port. The lease ends when both are
/// dropped. A server from [`Request::start`](crate::Request::start) needs no guard beside it.
///
/// # Its end
///
/// A drop kills the server with all its descendants, and waits until they are gone; [`stop`](Self::stop) asks first. A
/// server in a static is killed when the process exits. If the process is killed, its servers end within moments.
///
/// A guardian does that: this program, run once more as the parent of the server. On Linux and FreeBSD it also gets
/// descendants that became daemons or called `setsid`. On macOS such a descendant escapes if its parent has ended and
/// it has left the server's process group. On Windows, a job ends all of them. If this crate is in a library that was
/// loaded at run time, there is no guardian: stderr says so, and a killed test may leave descendants of its servers
/// behind.
///
/// # Its output
///
/// If the command sends its output to a file or to nowhere, it goes there. Output that would go to the test's own
/// stdout and stderr, or to a pipe, is captured instead: see [`output`](Self::output). Its last lines are shown in
/// errors, and on stderr when the test panics or the server has failed. Of more than 64 MiB, Linux keeps the first and
/// the last 32 MiB. A server does not read the test's stdin either. On Windows, all output is captured, wherever the
/// command sends it, and stays redirected if the command is run again; stdin is what the command says.
#[must_use = "the server is killed when this is dropped"]
pub struct Server {
    /// Its command, for messages.
    command: String,
    addr: SocketAddr,
    process: Process,
    output: Arc<Output>,
    /// How much had been printed when it was started.
    printed_before: u64,
    recipe: Option<Box<Recipe>>,
    /// How its first process ended, once nothing of it is left.
    ended: Option<End>,
    /// Whether it was asked to end: then its end is no news.
    is_dismissed: bool,
    /// Whether a drop stops it as its command says, instead of killing it.
    stops_when_dropped: bool,
    hold: HoldOfServer,
    /// The process id that it had first: a restart gives it another one.
    started_as: u32,
    /// The name of a socket that it is given.
    id_of_guard: Option<String>,
    /// A forked child shares the server with its parent, and ending it is the parent's.
    owner: u32,
    /// The other ports of a block that its command names.
    beside: Vec<Beside>,
    // What keeps the port, dropped last.
    guards: Vec<PortGuard>,
    tenancy: Tenancy,
}

impl Server {
    /// The process id of its first process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Where it listens once it is ready: the guard's address.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The port that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.addr.port()
    }

    /// What it has printed so far to stdout and stderr, including its runs before a [`restart`](Self::restart). Empty
    /// if its command sends both elsewhere.
    ///
    /// # Errors
    ///
    /// [`Server`](crate::ErrorKind::Server) when the file that keeps it cannot be read.
    pub fn output(&self) -> Result<String, Error> {
        let text = self.output.text(0);
        text.map_err(|error| self.failed("cannot be read", error))
    }

    /// Has the server own its port, and those of its block.
    pub(crate) fn owning(mut self, guards: Vec<PortGuard>) -> Self {
        self.guards = guards;
        self
    }

    /// Has a drop stop the server as its command says.
    pub(crate) fn stopping_when_dropped(mut self) -> Self {
        self.stops_when_dropped = true;
        self
    }

    fn is_ours(&self) -> bool {
        self.owner == process::id()
    }

    fn failed(&self, what: &str, error: std::io::Error) -> Error {
        self.error(ErrorKind::Server, format!("{what}: {error}"), Some(error))
    }

    fn error(&self, kind: ErrorKind, mut what: String, source: Option<std::io::Error>) -> Error {
        what += &self.output.complaint();
        Cause::Server {
            kind,
            port: self.port(),
            server: self.shown(),
            what,
            output: self.output.tell(),
            source,
        }
        .into()
    }

    fn shown(&self) -> String {
        format!("`{}` (process {})", self.command, self.id())
    }

    /// A parting word on stderr, where the test's own output goes: what it printed last, and how it ended if that was
    /// its own doing.
    fn say_farewell(&self, fate: &str) {
        let has_failed = !fate.is_empty();
        if !has_failed && !thread::panicking() {
            return;
        }
        if let Some(tail) = self.output.tell_anew(thread::panicking()) {
            tail_to_stderr(&self.shown(), fate, &tail);
        }
    }

    /// What a test that has failed says about the server, which may be gone by then.
    pub(crate) fn obituary(&self) -> Obituary {
        Obituary {
            server: self.shown(),
            output: Arc::clone(&self.output),
        }
    }
}

/// The last lines of a server, beyond its end.
#[derive(Debug)]
pub(crate) struct Obituary {
    server: String,
    output: Arc<Output>,
}

impl Obituary {
    /// Says on stderr what the server printed last, unless that was said before.
    pub(crate) fn say(&self) {
        if let Some(tail) = self.output.tell_anew(true) {
            tail_to_stderr(&self.server, "", &tail);
        }
    }
}

fn tail_to_stderr(server: &str, fate: &str, tail: &Printed) {
    if !fate.is_empty() || !tail.is_empty() {
        tail.mark_seen();
        eprintln!("port-for: {server}{fate}{tail}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.is_ours() {
            return;
        }
        let fate = self.fate();
        // It runs on in spite of all, and a drop cannot report it.
        if self.stops_when_dropped {
            let _ = self.stop();
        } else {
            let _ = self.end();
        }
        self.say_farewell(&fate);
        // As above; the guard of the port, if it lives, tells.
        self.guards.clear();
        running::remove(self.port(), self.started_as);
        let _ = self.tenancy.end();
        for beside in &mut self.beside {
            let _ = beside.tenancy.end();
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("command", &self.command)
            .field("id", &self.id())
            .field("addr", &self.addr)
            .field("ended", &self.ended.map(|end| end.status))
            .finish_non_exhaustive()
    }
}
