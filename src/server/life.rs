//! The life of a server after its start: signals, its end, and another start.

use std::process::ExitStatus;
use std::time::{Duration, SystemTime};

use super::end::{End, Life, Stopped};
use super::{Server, Signal};
use crate::error::{Error, ErrorKind};
use crate::text::Seconds;
use crate::wait::{Wait, Waiter, without_pending};

/// How a server that was not started by a recipe is stopped.
const GRACE: Duration = Duration::from_secs(10);
/// How long the processes may take that outlive the first one.
const LEFT: Duration = Duration::from_secs(1);

impl Server {
    /// Whether any process of the server is alive: its first one, or a descendant.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.ended.is_none() && self.process.life().is_ok_and(|life| !life.is_over)
    }

    /// How the server's first process ended, once all of its processes have ended; none before.
    ///
    /// # Errors
    ///
    /// [`Server`](crate::ErrorKind::Server) when the server cannot be observed.
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>, Error> {
        let life = self.life()?;
        Ok(life
            .first
            .filter(|_| life.is_over)
            .map(|first| first.status))
    }

    /// Sends a signal to the server's first process. Once that has ended, as a daemon's does, the processes that it
    /// left behind get the signal.
    ///
    /// # Errors
    ///
    /// [`Server`](crate::ErrorKind::Server) when the server has ended. [`Unsupported`](crate::ErrorKind::Unsupported)
    /// on Windows, except for signals that end the server: they kill it.
    pub fn signal(&self, signal: Signal) -> Result<(), Error> {
        let sent = if self.is_running() {
            self.process.signal(signal)
        } else {
            Err(std::io::Error::other("it has ended"))
        };
        sent.map_err(|error| self.unsent(&format!("cannot be sent SIG{}", signal.name()), error))
    }

    /// Suspends all of the server's processes, so that it behaves as if the machine were overloaded: it accepts
    /// connections, and does not answer. A process that it forks at that moment may go on. On Linux, blocks until all
    /// have stopped.
    ///
    /// # Errors
    ///
    /// As [`signal`](Self::signal).
    pub fn pause(&self) -> Result<(), Error> {
        let paused = self.process.pause(true);
        paused.map_err(|error| self.unsent("cannot be paused", error))
    }

    /// Lets the server go on after [`pause`](Self::pause).
    ///
    /// # Errors
    ///
    /// As [`signal`](Self::signal).
    pub fn resume(&self) -> Result<(), Error> {
        let resumed = self.process.pause(false);
        resumed.map_err(|error| self.unsent("cannot be resumed", error))
    }

    fn unsent(&self, what: &str, error: std::io::Error) -> Error {
        let kind = if error.kind() == std::io::ErrorKind::Unsupported {
            ErrorKind::Unsupported
        } else {
            ErrorKind::Server
        };
        self.error(kind, format!("{what}: {error}"), Some(error))
    }

    /// Kills the server with all its descendants, waits until they are gone, and returns the status of the first
    /// process. The port stays vacated, and yours.
    ///
    /// # Errors
    ///
    /// [`Server`](crate::ErrorKind::Server) when it cannot be killed.
    pub fn kill(&mut self) -> Result<ExitStatus, Error> {
        self.is_dismissed = true;
        self.end().map(|end| end.status)
    }

    /// Sends the server its command's [`stop_signal`](crate::ServerCommand::stop_signal) (by default SIGTERM), and
    /// waits until it has ended, with all its descendants. What is still alive after the
    /// [grace](crate::ServerCommand::grace) time (ten seconds) is killed. Blocks the thread. On Windows, the server is
    /// killed at once.
    ///
    /// The port stays vacated: call [`PortGuard::rearm`](crate::PortGuard::rearm) to hold it again, or start the next
    /// server on it. A server that has ended already is left as it is.
    ///
    /// # Errors
    ///
    /// [`Server`](crate::ErrorKind::Server) when it cannot be killed.
    pub fn stop(&mut self) -> Result<Stopped, Error> {
        without_pending(self.stop_by(Waiter::Thread))
    }

    /// Stops the server if it runs, starts it again on the same port, and waits until it is ready. Blocks the thread.
    /// It keeps its private folder, and its [`output`](Self::output) is continued.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](crate::ErrorKind::Unsupported) for a server that was started without a
    /// [`ServerCommand`](crate::ServerCommand); else those of [`stop`](Self::stop) and
    /// [`PortGuard::start`](crate::PortGuard::start).
    pub fn restart(&mut self) -> Result<(), Error> {
        without_pending(self.restart_by(Waiter::Thread))
    }

    pub(super) async fn stop_by(&mut self, waiter: Waiter) -> Result<Stopped, Error> {
        self.is_dismissed = true;
        let mut was_killed = false;
        if self.ended.is_none() && self.is_ours() {
            let (signal, grace) = match &self.recipe {
                Some(recipe) => (recipe.command.stop_signal, recipe.command.grace),
                None => (Signal::Term, GRACE),
            };
            // The first process, or the daemons that it has left.
            let is_daemon = self.life()?.first.is_some();
            // It may have ended by itself. Else it is killed, asked or not.
            let _ = self.process.signal(signal);
            let _ = self.process.pause(false);
            let mut wait = Wait::patient(waiter, grace);
            let mut has_left = is_daemon;
            was_killed = loop {
                let life = self.life()?;
                if life.is_over {
                    break false;
                }
                if life.first.is_some() && !has_left {
                    // What it leaves behind is asked as well, and not waited for as long.
                    has_left = true;
                    let _ = self.process.signal(signal);
                    wait = Wait::patient(waiter, grace.min(LEFT));
                }
                if !wait.rest().await {
                    break true;
                }
            };
        }
        let end = self.end()?;
        Ok(Stopped {
            status: end.status,
            was_killed,
        })
    }

    pub(super) fn life(&mut self) -> Result<Life, Error> {
        if self.ended.is_some() {
            return Ok(Life {
                first: self.ended,
                is_over: true,
            });
        }
        (self.process.life()).map_err(|error| self.failed("cannot be asked whether it runs", error))
    }

    /// Kills what is left of it.
    pub(super) fn end(&mut self) -> Result<End, Error> {
        if let Some(end) = self.ended {
            return Ok(end);
        }
        match self.process.end() {
            Ok(end) => {
                self.ended = Some(end);
                Ok(end)
            }
            Err(error) => Err(self.failed("cannot be ended", error)),
        }
    }

    /// If it has failed by itself: how, and when.
    pub(super) fn fate(&mut self) -> String {
        match self.life() {
            Ok(Life {
                first: Some(End { status, at }),
                ..
            }) if !self.is_dismissed && !status.success() => {
                let ago = SystemTime::now().duration_since(at).unwrap_or_default();
                format!(" ended by itself ({status}) {} ago", Seconds(ago))
            }
            _ => String::new(),
        }
    }
}
