//! Starting a server on a guard's port.

use std::io;
use std::process::{self, Command};

use super::output::Output;
use super::{Server, sys};
use crate::error::{Cause, Error};
use crate::guard::{PortGuard, State};
#[cfg(unix)]
use crate::handover;
use crate::text::printable;

impl PortGuard {
    /// Starts a server that binds the port by itself: vacates the port, then runs the command.
    ///
    /// The command is told of the port by whoever writes it, in an argument or a variable. On Linux no other program
    /// can take the port on the way; see [`vacate`](Self::vacate) for what the server must do for it, and
    /// [`close_hold`](Self::close_hold) for one that does not.
    ///
    /// What becomes of the child, its descendants and its output: see [`Server`].
    ///
    /// ```
    /// # #[cfg(target_os = "linux")] {
    /// use std::process::Command;
    /// use std::time::Duration;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let ports = port_for::PortFor::open(folder.path().join("ports.json"))?;
    /// let mut files = ports.guard("files")?;
    /// let port = files.port().to_string();
    /// let mut command = Command::new("python3");
    /// command.args(["-m", "http.server", "--bind", "127.0.0.1", &port]);
    /// # if Command::new("python3").arg("--version").output().is_err() { return Ok(()) }
    ///
    /// let mut server = files.spawn(&mut command)?;
    /// server.wait_ready(Duration::from_secs(30))?;
    /// // ... requests to http://{files.addr()} ...
    /// server.stop()?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotStarted`](crate::ErrorKind::NotStarted) when the command cannot be started; the guard holds the port then.
    /// [`Handoff`](crate::ErrorKind::Handoff) when the listener was taken, or given to a child.
    pub fn spawn(&mut self, command: &mut Command) -> Result<Server, Error> {
        self.vacate()?;
        spawn(self, command)
    }

    /// Starts a server that takes over the listening socket, as under systemd: descriptor 3, with `LISTEN_FDS=1`,
    /// `LISTEN_FDNAMES` (the id, with `%3A` for `:` and `%25` for `%`) and `LISTEN_PID`. The guard closes its copy.
    ///
    /// The port listens without a break: who connected before the server runs is served by it, and once the server has
    /// ended, connections are refused. That a client can connect says nothing about the server, therefore; wait with
    /// [`Server::wait_until`]. With the host `localhost` the IPv4 socket is passed; at `::1`, connections are refused. A
    /// UDP port stays with the guard.
    ///
    /// A name for [`CommandExt::arg0`](std::os::unix::process::CommandExt::arg0) that was given to the command is not
    /// kept, and a program needs a `#!` line to be run as a script.
    ///
    /// # Errors
    ///
    /// [`NotStarted`](crate::ErrorKind::NotStarted) when the command cannot be started; the guard holds the port then.
    /// [`Handoff`](crate::ErrorKind::Handoff) when it does not hold the port. [`Unsupported`](crate::ErrorKind::Unsupported)
    /// on Windows, where a child cannot be given a socket so: use [`spawn`](Self::spawn) there.
    pub fn spawn_activated(&mut self, command: &mut Command) -> Result<Server, Error> {
        const WANTED: &str = "give the listener to a child";
        if cfg!(not(unix)) {
            return Err(Cause::Unsupported {
                wanted: WANTED,
                advice: "use `spawn`, with a server that binds the port by itself",
            }
            .into());
        }
        let state = self.hold().lock().state();
        if state != State::Held {
            let advice = match state {
                State::Taken => "close that listener, then `rearm`",
                _ => "call `rearm` first",
            };
            return Err(self.wrong_state(WANTED, state, advice));
        }
        spawn_activated(self, command)
    }
}

/// Runs the command on the guard's port, which is vacated.
fn spawn(guard: &mut PortGuard, command: &mut Command) -> Result<Server, Error> {
    let started = start(guard, command, None);
    let source = match started {
        Ok(server) => return Ok(server),
        Err(source) => source,
    };
    let held = match guard.rearm() {
        Ok(()) => String::new(),
        Err(error) => format!("; and then: {error}"),
    };
    Err(not_started(guard, command, source, held))
}

/// Runs the command with the guard's listener, which it holds.
#[cfg(unix)]
fn spawn_activated(guard: &mut PortGuard, command: &mut Command) -> Result<Server, Error> {
    use std::os::fd::AsFd;
    let name = handover::fd_name(guard.id().unwrap_or("unknown"));
    let copy = guard
        .hold()
        .lock()
        .listener()
        .map(|it| it.try_clone_to_owned());
    let started = copy
        .unwrap_or_else(|| Err(io::Error::other("the listener is gone")))
        .and_then(|listener| start(guard, command, Some((listener.as_fd(), &name))))
        .and_then(|server| guard.hold().lock().give().map(|()| server));
    started.map_err(|source| not_started(guard, command, source, String::new()))
}

#[cfg(not(unix))]
fn spawn_activated(guard: &mut PortGuard, command: &mut Command) -> Result<Server, Error> {
    let source = io::ErrorKind::Unsupported.into();
    Err(not_started(guard, command, source, String::new()))
}

fn start(
    guard: &PortGuard,
    command: &mut Command,
    socket: Option<sys::Socket<'_>>,
) -> io::Result<Server> {
    let output = Output::new()?;
    let process = sys::Process::spawn(command, &output, socket)?;
    sys::stop_at_exit(process.family());
    Ok(Server {
        command: command_line(command),
        addr: guard.addr(),
        process,
        output,
        ended: None,
        hold: guard.hold().for_server(),
        owner: process::id(),
    })
}

fn not_started(guard: &PortGuard, command: &Command, source: io::Error, held: String) -> Error {
    let advice = match source.kind() {
        io::ErrorKind::NotFound => {
            "is it installed, and is its folder on the `PATH` or in its name?"
        }
        io::ErrorKind::PermissionDenied => "may this user run that file?",
        _ => "can it be run by hand?",
    };
    Cause::Start {
        command: command_line(command),
        id: guard.id().map(str::to_owned),
        port: guard.port(),
        source,
        advice,
        held,
    }
    .into()
}

pub(super) fn command_line(command: &Command) -> String {
    let words = [command.get_program()]
        .into_iter()
        .chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    printable(&words.join(" ")).chars().take(300).collect()
}
