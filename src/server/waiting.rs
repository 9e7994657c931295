//! Waiting for a server: until it is ready, or has printed a line.

use std::net::SocketAddr;
use std::time::Duration;

use super::lines::Lines;
use super::probe::{self, Look, Probe};
use super::ready::Condition;
use super::{Ready, Server};
use crate::error::{Cause, Error, ErrorKind};
use crate::text::Seconds;
use crate::wait::{Wait, Waiter, without_pending};
use crate::who::{Occupants, Protocol};

impl Server {
    /// Waits until the server listens on its port: [`wait_for`](Self::wait_for) with [`Ready::listening`]. Blocks the
    /// thread.
    ///
    /// An [activated](crate::PortGuard::spawn_activated) server listens from the start, before it answers; wait for it
    /// with [`wait_until`](Self::wait_until).
    ///
    /// # Errors
    ///
    /// As [`wait_for`](Self::wait_for).
    pub fn wait_ready(&mut self, timeout: Duration) -> Result<(), Error> {
        self.wait_for(&Ready::listening(), timeout)
    }

    /// Waits until the server meets this condition. Blocks the thread.
    ///
    /// Linux tells which process has a socket: of this user's processes, and root of all. Other systems may tell less;
    /// there, an accepted connection is enough. If the child asks another process to run the server, as `docker` does,
    /// the server is no descendant of the child: [vacate](crate::PortGuard::vacate) the port and start that server
    /// yourself. While it is waited for, a server may see connections that open and close at once.
    ///
    /// # Errors
    ///
    /// These show the last lines of the server's output: at once [`Exited`](crate::ErrorKind::Exited) when no process
    /// of the server is alive, or its first process has failed (the rest is then ended, and the guard holds the port
    /// again), and [`WrongServer`](crate::ErrorKind::WrongServer) when another process listens there, which is named;
    /// after `timeout` [`NotReady`](crate::ErrorKind::NotReady), with what each condition was waiting for.
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for a condition that makes no sense, and
    /// [`Server`](crate::ErrorKind::Server) when the server cannot be observed.
    pub fn wait_for(&mut self, ready: &Ready, timeout: Duration) -> Result<(), Error> {
        without_pending(self.wait_for_by(Waiter::Thread, ready, timeout))
    }

    /// Waits until `probe` says that the server is ready: that it answers a request as it should. The probe is called
    /// again and again, a few milliseconds apart, with the address to ask. Blocks the thread.
    ///
    /// An answer by another process that is known to listen there is an error, not a success.
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
    /// As [`wait_for`](Self::wait_for).
    pub fn wait_until(
        &mut self,
        timeout: Duration,
        mut probe: impl FnMut(SocketAddr) -> bool,
    ) -> Result<(), Error> {
        let probe = async |addr| probe(addr);
        without_pending(self.wait_until_by(Waiter::Thread, timeout, probe))
    }

    /// Waits until `find` returns a value for a line that the server has printed, to stdout or stderr, since it was
    /// started. Earlier lines count. Escape sequences are removed from the lines. Blocks the thread.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use port_for::{Ready, ServerCommand};
    /// use std::time::Duration;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let ports = port_for::PortFor::open(folder.path().join("ports.json"))?;
    /// # let mut guard = ports.guard("api")?;
    /// let command = ServerCommand::new("/bin/sh")
    ///     .args(["-c", "echo key: 42; sleep 60"])
    ///     .ready(Ready::line("key"));
    /// let mut server = guard.start(&command)?;
    /// let key = server.wait_line(Duration::from_secs(10), |line| {
    ///     line.strip_prefix("key: ").map(str::to_owned)
    /// })?;
    /// assert_eq!(key, "42");
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`wait_for`](Self::wait_for).
    pub fn wait_line<T>(
        &mut self,
        timeout: Duration,
        find: impl FnMut(&str) -> Option<T>,
    ) -> Result<T, Error> {
        without_pending(self.wait_line_by(Waiter::Thread, timeout, find))
    }

    pub(super) async fn wait_for_by(
        &mut self,
        waiter: Waiter,
        ready: &Ready,
        timeout: Duration,
    ) -> Result<(), Error> {
        let mut probes: Vec<_> = (self.conditions(ready)?.into_iter())
            .map(|condition| Probe::new(condition, self.printed_before))
            .collect();
        self.wait_by(waiter, timeout, async |server| {
            let mut obstacles = Vec::new();
            let mut nth = 0;
            while let Some(probe) = probes.get_mut(nth) {
                match probe.look(server) {
                    Look::Ready => drop(probes.remove(nth)),
                    Look::NotYet(why) => {
                        obstacles.push(why);
                        nth += 1;
                    }
                    Look::Met(occupants) => return Look::Met(occupants).into(),
                }
            }
            if obstacles.is_empty() {
                Round::Done(())
            } else {
                Round::NotYet(obstacles.join("; "))
            }
        })
        .await
    }

    /// The conditions, with their placeholders filled in.
    fn conditions(&self, ready: &Ready) -> Result<Vec<Condition>, Error> {
        let filled = match (&ready.fault, &self.recipe) {
            (Some(fault), _) => Err(fault.clone()),
            (None, Some(recipe)) => recipe.ready(ready),
            (None, None) => Ok(ready.conditions.clone()),
        };
        filled.map_err(|what| {
            Cause::Condition {
                server: self.shown(),
                port: self.port(),
                what,
            }
            .into()
        })
    }

    pub(super) async fn wait_until_by(
        &mut self,
        waiter: Waiter,
        timeout: Duration,
        mut probe: impl AsyncFnMut(SocketAddr) -> bool,
    ) -> Result<(), Error> {
        self.wait_by(waiter, timeout, async |server| {
            let addr = server.addr;
            // Before, for who knows what a stranger does with a probe; and after, for one may have come and have answered.
            match probe::listening(server) {
                Look::Ready => {}
                other => return other.into(),
            }
            if !probe(addr).await {
                return Round::NotYet("it does not answer as it should".to_owned());
            }
            probe::listening(server).into()
        })
        .await
    }

    pub(super) async fn wait_line_by<T>(
        &mut self,
        waiter: Waiter,
        timeout: Duration,
        mut find: impl FnMut(&str) -> Option<T>,
    ) -> Result<T, Error> {
        let mut lines = Lines::from(self.printed_before);
        self.wait_by(waiter, timeout, async |server| {
            match lines.next(&server.output) {
                Ok(new) => match new.iter().find_map(|line| find(line)) {
                    Some(found) => Round::Done(found),
                    // However much there is, it is read before the time is up.
                    None if new.is_empty() => {
                        Round::NotYet("no line that it printed is the one waited for".to_owned())
                    }
                    None => Round::More,
                },
                Err(error) => Round::NotYet(format!("its output cannot be read: {error}")),
            }
        })
        .await
    }

    async fn wait_by<T>(
        &mut self,
        waiter: Waiter,
        timeout: Duration,
        mut look: impl AsyncFnMut(&Self) -> Round<T>,
    ) -> Result<T, Error> {
        let mut wait = Wait::patient(waiter, timeout);
        let mut has_met = false;
        loop {
            // What it has printed by its end counts, but it is not ready then.
            let has_failed = self.has_failed()?;
            match look(self).await {
                Round::Done(found) => {
                    if has_failed || self.has_failed()? {
                        return Err(self.ended_early());
                    }
                    return Ok(found);
                }
                Round::More if wait.elapsed() < timeout => {}
                Round::More => return Err(self.too_late(&wait, "it prints more than can be read")),
                _ if has_failed => return Err(self.ended_early()),
                // Twice, for another store that chooses a port looks at this one by listening there for an instant.
                Round::Met(occupants) if has_met || !wait.rest().await => {
                    return Err(self.met(&occupants));
                }
                Round::Met(_) => has_met = true,
                Round::NotYet(why) => {
                    if !wait.rest().await {
                        return Err(self.too_late(&wait, &why));
                    }
                    has_met = false;
                }
            }
        }
    }

    /// Whether waiting for it is over: nothing of it lives, or its first process has ended, and not well.
    fn has_failed(&mut self) -> Result<bool, Error> {
        let life = self.life()?;
        let failed = |first: super::End| !first.status.success();
        Ok(life.is_over || life.first.is_some_and(failed))
    }

    fn ended_early(&mut self) -> Error {
        let end = match self.end() {
            Ok(end) => end,
            Err(error) => return error,
        };
        let addr = self.addr;
        let is_bound = self.hold.is_bound();
        let is_held = self.hold.rearm();
        let why = if !is_held {
            let occupants = Occupants::of(Protocol::Tcp, addr.port()).beside_the_guard();
            format!("; the port is taken: {occupants}")
        } else if is_bound && self.output.tail().to_lowercase().contains("in use") {
            // As the C library, Node, Go and Java put it.
            "; a server that does not set `SO_REUSEADDR` cannot bind a vacated port: call `PortGuard::close_hold` before it \
             is started"
                .to_owned()
        } else {
            String::new()
        };
        let status = end.status;
        let what = format!("ended ({status}) before it was ready on {addr}{why}");
        self.error(ErrorKind::Exited, what, None)
    }

    fn met(&self, occupants: &Occupants) -> Error {
        let addr = self.addr;
        let what = format!(
            "does not listen on {addr}: {occupants}; end that server, and start this one again"
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
        let advice = if listens_on.contains(&self.addr.to_string()) {
            ""
        } else {
            "; was it told the port?"
        };
        let what = format!(
            "is not ready after {}: {why}; it listens {listens_on}{advice}",
            Seconds(wait.limit())
        );
        self.error(ErrorKind::NotReady, what, None)
    }
}

/// What a round of waiting found.
enum Round<T> {
    Done(T),
    /// There is more to look at, at once.
    More,
    /// Not yet, and what is in the way.
    NotYet(String),
    /// Another process listens.
    Met(Occupants),
}

impl From<Look> for Round<()> {
    fn from(look: Look) -> Self {
        match look {
            Look::Ready => Self::Done(()),
            Look::NotYet(why) => Self::NotYet(why),
            Look::Met(occupants) => Self::Met(occupants),
        }
    }
}
