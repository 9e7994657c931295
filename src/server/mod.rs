//! A server in a process of its own, on a guarded port.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::process::{self, ExitStatus};
use std::thread;
use std::time::Duration;

use crate::error::{Cause, Error, ErrorKind};
use crate::guard::HoldOfServer;
use crate::text::Seconds;
use crate::wait::Wait;
use crate::who::{self, Listening, Occupants};

#[cfg(unix)]
mod family;
mod output;
mod start;
mod sys;

use output::Output;
use sys::Process;
#[cfg(all(windows, feature = "cli"))]
pub(crate) use sys::job::Job;

/// A server that [`PortGuard::spawn`](crate::PortGuard::spawn) or
/// [`PortGuard::spawn_activated`](crate::PortGuard::spawn_activated) has started.
///
/// It borrows nothing: keep it, and the guard of its port beside it, wherever the test keeps its things, a static
/// included.
///
/// # Its end
///
/// A drop kills the child and all its descendants, and waits until they are gone; [`stop`](Self::stop) asks first. A
/// server in a static is killed when the process exits. When the process is killed itself, its servers are killed as
/// well, by a small shell that waits for that (on Windows, by the system). The one way out is a daemon: a process that
/// leaves its process group and whose parent has ended is found by nobody. Run servers in the foreground: nginx with
/// `daemon off;`, redis without `--daemonize`.
///
/// # Its output
///
/// Goes where the command says: to a file, or nowhere. What would go to the test's own output is captured instead, and
/// its last lines are shown in errors, and on stderr when the test panics; so is what the command sends to a pipe. In
/// the same manner, a server does not read the test's own stdin. On Windows, where a child's streams cannot be told
/// apart before it runs, all output is captured, the command goes on sending it there if it is run again, and stdin is
/// what the command says.
#[must_use = "the server is killed when this is dropped"]
pub struct Server {
    command: String,
    addr: SocketAddr,
    process: Process,
    output: Output,
    /// How the child ended. Once it is known, nothing of the server is left.
    ended: Option<ExitStatus>,
    hold: HoldOfServer,
    /// A forked child shares the server with its parent, and ending it is the parent's.
    owner: u32,
}

/// What a round of waiting found.
enum Round {
    Ready,
    /// Not yet, and what is in the way.
    NotYet(String),
    /// Somebody else listens.
    Met(Occupants),
}

fn unnamed(addr: SocketAddr) -> String {
    format!(
        "somebody who is not of this server listens on {addr}, and the system does not name them"
    )
}

impl Server {
    /// How long a server that was asked to end may take over it.
    const STOP_TIMEOUT: Duration = Duration::from_secs(10);

    /// The process id of the child.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Where it listens once it is ready: the guard's address.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Waits until the server listens on its port: the child or a descendant of it, and nobody else.
    ///
    /// It sees one connection come and go. An [activated](crate::PortGuard::spawn_activated) server listens from the start,
    /// whether it runs already or not; wait for that one with [`wait_until`](Self::wait_until).
    ///
    /// Whose socket it is, Linux tells of the processes of this user, and of all to root; other systems may tell less.
    /// Where they do not tell, it is enough that somebody accepts a connection. A server that another one runs on behalf of the child, as
    /// Docker's does, is none of its descendants: run that one by a [vacated](crate::PortGuard::vacate) port.
    ///
    /// # Errors
    ///
    /// With the last lines of the server's output: at once [`Exited`](crate::ErrorKind::Exited) when the child ends first
    /// (the guard holds the port again then) and [`WrongServer`](crate::ErrorKind::WrongServer) when another process
    /// listens there, which is named; after `timeout` [`NotReady`](crate::ErrorKind::NotReady), with what the server
    /// listens on instead. [`Server`](crate::ErrorKind::Server) when the child cannot be observed.
    pub fn wait_ready(&mut self, timeout: Duration) -> Result<(), Error> {
        self.wait(timeout, |server| {
            let addr = server.addr;
            match server.look() {
                Listening::Family | Listening::Untold => Round::Ready,
                Listening::Nobody => Round::NotYet(format!("nobody listens on {addr}")),
                Listening::Unknown => Round::NotYet(unnamed(addr)),
                Listening::Stranger(occupants) => Round::Met(occupants),
            }
        })
    }

    /// Waits until `probe` says that the server is ready: that it answers a request as it should. The probe is called
    /// again and again, a few milliseconds apart, with the address to ask.
    ///
    /// An answer by somebody else who is known to listen there is an error, not a success.
    ///
    /// ```no_run
    /// use std::io::{Read, Write};
    /// use std::net::TcpStream;
    /// use std::process::Command;
    /// use std::time::Duration;
    ///
    /// let mut redis = port_for::guard("redis")?;
    /// let port = redis.port().to_string();
    /// let mut server = redis.spawn(Command::new("redis-server").args(["--port", &port]))?;
    /// server.wait_until(Duration::from_secs(10), |addr| {
    ///     let pong = || -> std::io::Result<bool> {
    ///         let mut redis = TcpStream::connect(addr)?;
    ///         redis.write_all(b"PING\r\n")?;
    ///         let mut answer = [0; 7];
    ///         redis.read_exact(&mut answer)?;
    ///         Ok(answer == *b"+PONG\r\n")
    ///     };
    ///     pong().unwrap_or(false)
    /// })?;
    /// # Ok::<(), port_for::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`wait_ready`](Self::wait_ready).
    pub fn wait_until(
        &mut self,
        timeout: Duration,
        mut probe: impl FnMut(SocketAddr) -> bool,
    ) -> Result<(), Error> {
        self.wait(timeout, |server| {
            let addr = server.addr;
            let mut is_ready = false;
            // Before, for who knows what a stranger does with a probe; and after, for one may have come and have answered.
            for asks in [true, false] {
                match server.look() {
                    Listening::Stranger(occupants) => return Round::Met(occupants),
                    Listening::Unknown => return Round::NotYet(unnamed(addr)),
                    Listening::Family | Listening::Untold | Listening::Nobody => {}
                }
                is_ready = if asks { probe(addr) } else { is_ready };
            }
            if is_ready {
                Round::Ready
            } else {
                Round::NotYet("it does not answer as it should".to_owned())
            }
        })
    }

    /// Asks the server to end (SIGTERM), waits for that up to ten seconds, then kills it; whatever descendants it
    /// leaves are killed. Tells how it ended. On Windows it is killed at once.
    ///
    /// The port stays vacated: [`PortGuard::rearm`](crate::PortGuard::rearm) holds it again, or the
    /// next [`PortGuard::spawn`](crate::PortGuard::spawn) has it.
    ///
    /// # Errors
    ///
    /// [`Server`](crate::ErrorKind::Server) when it cannot be killed.
    pub fn stop(mut self) -> Result<ExitStatus, Error> {
        if self.ended.is_none() && self.is_ours() {
            // It may have ended by itself. Else it is killed, asked or not.
            let _ = self.process.terminate();
            let mut wait = Wait::new(Self::STOP_TIMEOUT);
            while !self.has_ended()? && wait.pause() {}
        }
        self.end()
    }

    fn wait(
        &mut self,
        timeout: Duration,
        mut look: impl FnMut(&Self) -> Round,
    ) -> Result<(), Error> {
        let mut wait = Wait::new(timeout);
        let mut has_met = false;
        loop {
            if self.has_ended()? {
                return Err(self.ended_early());
            }
            match look(self) {
                Round::Ready => return Ok(()),
                // Twice, for another store that chooses a port looks at this one by listening there for an instant.
                Round::Met(occupants) if has_met || !wait.pause() => {
                    return Err(self.met(&occupants));
                }
                Round::Met(_) => has_met = true,
                Round::NotYet(why) => {
                    if !wait.pause() {
                        return Err(self.too_late(&wait, &why));
                    }
                    has_met = false;
                }
            }
        }
    }

    /// Who listens on the port.
    fn look(&self) -> Listening {
        who::listening_at(self.addr, || self.process.members())
    }

    fn has_ended(&mut self) -> Result<bool, Error> {
        if self.ended.is_some() {
            return Ok(true);
        }
        self.process
            .has_ended()
            .map_err(|error| self.failed("cannot be asked whether it runs", error))
    }

    /// Kills what is left of it.
    fn end(&mut self) -> Result<ExitStatus, Error> {
        if let Some(status) = self.ended {
            return Ok(status);
        }
        sys::forget(self.process.family());
        match self.process.end() {
            Ok(status) => {
                self.ended = Some(status);
                Ok(status)
            }
            Err(error) => Err(self.failed("cannot be ended", error)),
        }
    }

    fn is_ours(&self) -> bool {
        self.owner == process::id()
    }

    fn ended_early(&mut self) -> Error {
        let status = match self.end() {
            Ok(status) => status,
            Err(error) => return error,
        };
        let addr = self.addr;
        let mut whats = vec![format!("ended ({status}) before it was ready on {addr}")];
        let is_bound = self.hold.is_bound();
        let is_held = self.hold.rearm();
        if is_held {
            if is_bound {
                whats.push(format!(
                    "if it says that port {} is in use, it does not set `SO_REUSEADDR` before it binds: call \
                     `PortGuard::close_hold` before `spawn`",
                    addr.port()
                ));
            }
            whats.push("the guard holds the port again".to_owned());
        } else {
            let occupants = Occupants::at(addr);
            if !occupants.is_unknown() {
                whats.push(format!(
                    "somebody listens there: {occupants}; if that is the server, have it run in the foreground"
                ));
            }
        }
        self.error(ErrorKind::Exited, whats.join("; "), None)
    }

    fn met(&self, occupants: &Occupants) -> Error {
        let addr = self.addr;
        let what = format!(
            "is not who listens on {addr}, somebody else is: {occupants}; end that server, and start this one again"
        );
        self.error(ErrorKind::WrongServer, what, None)
    }

    fn too_late(&self, wait: &Wait, why: &str) -> Error {
        let listens_on = Occupants::addrs_of(&self.process.members());
        let listens_on = if listens_on.is_empty() {
            "on nothing that the system tells of".to_owned()
        } else {
            let addrs: Vec<_> = listens_on.iter().map(ToString::to_string).collect();
            format!("on {}", addrs.join(" and "))
        };
        let what = format!(
            "is not ready after {}: {why}; it listens {listens_on}; was it told the port?",
            Seconds(wait.limit())
        );
        self.error(ErrorKind::NotReady, what, None)
    }

    fn failed(&self, what: &str, error: io::Error) -> Error {
        self.error(ErrorKind::Server, format!("{what}: {error}"), Some(error))
    }

    fn error(&self, kind: ErrorKind, what: String, source: Option<io::Error>) -> Error {
        Cause::Server {
            kind,
            port: self.addr.port(),
            server: format!("`{}` (process {})", self.command, self.id()),
            what,
            output: self.shown_output(),
            source,
        }
        .into()
    }

    /// The end of its output, on lines of their own.
    fn shown_output(&self) -> String {
        let tail = self.output.tail();
        if tail.is_empty() {
            return String::new();
        }
        format!("\nits last lines:\n  {}", tail.replace('\n', "\n  "))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.is_ours() {
            return;
        }
        // It runs on in spite of all, and a drop has nobody to tell.
        let _ = self.end();
        if thread::panicking() {
            let output = self.shown_output();
            if !output.is_empty() {
                // Where the test's own output goes.
                eprintln!(
                    "port-for: `{}` (process {}){output}",
                    self.command,
                    self.id()
                );
            }
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("command", &self.command)
            .field("id", &self.id())
            .field("addr", &self.addr)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}
