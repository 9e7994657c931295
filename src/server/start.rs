//! Starting a server on a guard's port.

use std::io;
use std::path::Path;
use std::process::{self, Command};
use std::sync::Arc;

use super::output::Output;
use super::recipe::{self, Recipe};
use super::{Server, ServerCommand, running, sys};
use crate::config;
use crate::error::{Cause, Error, ErrorKind, Printed};
use crate::guard::{Beside, Hold, HoldOfServer, PortGuard, State};
#[cfg(unix)]
use crate::handover;
use crate::text::{Seconds, printable};
use crate::wait::{Wait, Waiter, without_pending};

impl PortGuard {
    /// Starts a server from its recipe, and waits until it is ready. Blocks the thread.
    ///
    /// The port is vacated, and the server binds it. If the recipe is [`activated`](ServerCommand::activated), the
    /// server gets the listening socket instead. [`Server`] describes its end and its output.
    ///
    /// ```
    /// # #[cfg(target_os = "linux")] {
    /// use port_for::ServerCommand;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let ports = port_for::PortFor::open(folder.path().join("ports.json"))?;
    /// # if std::process::Command::new("redis-server").arg("--version").output().is_err() { return Ok(()) }
    /// let redis = ServerCommand::new("redis-server").args(["--port", "{port}", "--save", ""]);
    /// let mut guard = ports.guard("redis")?;
    /// let mut server = guard.start(&redis)?;
    /// // … a client connects to server.addr() …
    /// server.restart()?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotStarted`](crate::ErrorKind::NotStarted) when the command cannot be started: a missing program, an unknown
    /// placeholder, a set-up that fails, a temporary folder that cannot be used. [`Handoff`](crate::ErrorKind::Handoff)
    /// when the listener was taken, or given to a child. Also those of [`Server::wait_for`]; everything that was
    /// started has then been ended. After each error but `Handoff`, the guard holds the port again if it is free.
    pub fn start(&mut self, command: &ServerCommand) -> Result<Server, Error> {
        without_pending(start_for(Waiter::Thread, self, command))
    }

    /// Starts a server that binds the port by itself: vacates the port, then runs the command.
    ///
    /// You pass the port to the command, in an argument or a variable. On Linux no other program can take the port in
    /// between. [`vacate`](Self::vacate) says what the server must do for that; for a server that does not, call
    /// [`close_hold`](Self::close_hold) first.
    ///
    /// [`Server`] describes the end of the child and its descendants, and its output.
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
        let output = recipe::captured().map_err(|what| recipe_error(self, command, what))?;
        spawn(self, command, output, None)
    }

    /// Starts a server that takes over the listening socket, as under systemd: descriptor 3, with `LISTEN_FDS=1`,
    /// `LISTEN_FDNAMES` (the id, with `%3A` for `:` and `%25` for `%`) and `LISTEN_PID`. The guard closes its copy.
    ///
    /// The port listens without a break: the server also serves clients that connected before it ran. Once it has
    /// ended, connections are refused. A successful connect therefore proves nothing; wait with [`Server::wait_until`].
    /// With the host `localhost`, the IPv4 socket is passed, and connections to `::1` are refused. A UDP port stays
    /// with the guard.
    ///
    /// The command's [`arg0`](std::os::unix::process::CommandExt::arg0) is ignored, and a script needs a `#!` line.
    ///
    /// # Errors
    ///
    /// [`NotStarted`](crate::ErrorKind::NotStarted) when the command cannot be started; the guard holds the port then.
    /// [`Handoff`](crate::ErrorKind::Handoff) when it does not hold the port.
    /// [`Unsupported`](crate::ErrorKind::Unsupported) on Windows, where a child cannot get a socket this way: use
    /// [`spawn`](Self::spawn).
    pub fn spawn_activated(&mut self, command: &mut Command) -> Result<Server, Error> {
        self.check_activation()?;
        let output = recipe::captured().map_err(|what| recipe_error(self, command, what))?;
        spawn_activated(self, command, output, None)
    }

    fn check_activation(&self) -> Result<(), Error> {
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
        Ok(())
    }
}

/// The story of [`PortGuard::start`], for threads and for tasks.
pub(crate) async fn start_for(
    waiter: Waiter,
    guard: &mut PortGuard,
    command: &ServerCommand,
) -> Result<Server, Error> {
    let bad = |guard: &PortGuard, what| bad_recipe(guard, command.line(), what, Printed::default());
    let recipe = Recipe::new(guard, command).map_err(|what| bad(guard, what))?;
    let mut program = recipe.server().map_err(|what| bad(guard, what))?;
    let output = recipe.output().map_err(|what| bad(guard, what))?;
    if command.is_activated {
        guard.check_activation()?;
    }
    if let Some(setup) = recipe.setup() {
        let mut setup = setup.map_err(|what| bad(guard, what))?;
        let done = set_up(waiter, &mut setup, &output, &recipe).await;
        done.map_err(|(what, output)| bad_recipe(guard, command.line(), what, output))?;
    }
    let port = guard.port();
    let named = command
        .offsets()
        .into_iter()
        .map(|offset| port.saturating_add(offset));
    let beside = guard.vacate_siblings(&named.collect::<Vec<_>>());
    let beside = beside.map_err(|what| bad(guard, what))?;
    let started = if command.is_activated {
        spawn_activated(guard, &mut program, output, recipe.dir())
    } else {
        let vacated = guard.vacate();
        vacated.and_then(|_| spawn(guard, &mut program, output, Some(&recipe)))
    };
    let mut server = started.inspect_err(|_| hold_again(&beside))?;
    server.beside = beside;
    server.recipe = Some(Box::new(recipe));
    server.be_ready(waiter).await?;
    Ok(server)
}

/// Runs the set-up to its end; what it printed goes with the error.
async fn set_up(
    waiter: Waiter,
    setup: &mut Command,
    output: &Output,
    recipe: &Recipe,
) -> Result<(), (String, Printed)> {
    let line = command_line(setup);
    let failed = |what: String| (format!("its set-up `{line}` {what}"), Printed::default());
    let started = run(setup, output, Some(recipe));
    let process = started
        .map_err(|error| failed(format!("cannot be run: {error}; {}", advice(setup, &error))))?;
    let mut wait = Wait::patient(waiter, recipe.command.ready_timeout);
    let ended = loop {
        match process.life() {
            Ok(now) if now.first.is_some() => break Ok(()),
            Ok(_) if wait.rest().await => {}
            Ok(_) => break Err(format!("has not ended after {}", Seconds(wait.limit()))),
            Err(error) => break Err(format!("cannot be observed: {error}")),
        }
    };
    let end = process.end();
    let end = end.map_err(|error| failed(format!("cannot be ended: {error}")))?;
    match ended {
        Ok(()) if end.status.success() => Ok(()),
        Ok(()) => Err(format!("failed ({})", end.status)),
        Err(what) => Err(what),
    }
    .map_err(|what| {
        (
            format!("its set-up `{line}` {what}{}", output.complaint()),
            output.tell(),
        )
    })
}

impl Server {
    /// Waits as its recipe says. If that fails, nothing of it is left, and the guard holds the port again.
    async fn be_ready(&mut self, waiter: Waiter) -> Result<(), Error> {
        let Some(recipe) = &self.recipe else {
            return Ok(());
        };
        let (ready, timeout) = (recipe.command.ready.clone(), recipe.command.ready_timeout);
        if ready.is_at_once() {
            return Ok(());
        }
        let outcome = self.wait_for_by(waiter, &ready, timeout).await;
        if outcome.is_err() {
            self.is_dismissed = true;
            self.end()?;
            self.hold.rearm();
            hold_again(&self.beside);
        }
        outcome
    }

    /// The story of [`restart`](Self::restart).
    pub(super) async fn restart_by(&mut self, waiter: Waiter) -> Result<(), Error> {
        let Some(recipe) = &self.recipe else {
            let what = "was started by `spawn`, which keeps no recipe, and so cannot be started again: use \
                        `PortGuard::start`";
            return Err(self.error(ErrorKind::Unsupported, what.to_owned(), None));
        };
        let is_activated = recipe.command.is_activated;
        let program = recipe.server();
        let mut program = program.map_err(|what| self.error(ErrorKind::NotStarted, what, None))?;
        self.stop_by(waiter).await?;
        self.printed_before = self.output.len();
        self.process = self
            .start_again(&mut program, is_activated)
            .map_err(|error| {
                let what = format!("has ended, and cannot be started again: {error}");
                self.error(ErrorKind::NotStarted, what, Some(error))
            })?;
        self.ended = None;
        self.is_dismissed = false;
        self.be_ready(waiter).await
    }

    fn start_again(&self, program: &mut Command, is_activated: bool) -> io::Result<sys::Process> {
        let recipe = self.recipe.as_deref();
        // Held again, when an earlier start had failed.
        let vacate = |hold: &HoldOfServer| {
            let vacated = hold.with(|hold| match hold.state() {
                State::Held => hold.mark_and_vacate(),
                _ => Ok(()),
            });
            vacated.unwrap_or(Ok(()))
        };
        self.beside
            .iter()
            .try_for_each(|beside| vacate(&beside.hold))?;
        if !is_activated {
            vacate(&self.hold)?;
            return run(program, &self.output, recipe);
        }
        let dir = recipe.and_then(Recipe::dir);
        let restarted = self.hold.with(|hold| {
            hold.rearm().map_err(|refused| refused.source)?;
            give(hold, self.id_of_guard.as_deref(), |socket| {
                sys::Process::spawn(program, &self.output, socket, dir)
            })
        });
        restarted.unwrap_or_else(|| {
            Err(io::Error::other(
                "the guard, which keeps its listening socket, is gone",
            ))
        })
    }
}

/// Has the other ports of the block held again.
fn hold_again(beside: &[Beside]) {
    for beside in beside {
        beside.hold.rearm();
    }
}

/// Runs a command of the recipe, or without one any command.
fn run(
    command: &mut Command,
    output: &Output,
    recipe: Option<&Recipe>,
) -> io::Result<sys::Process> {
    let dir = recipe.and_then(Recipe::dir);
    match recipe {
        Some(recipe) if recipe.is_plain() => sys::Process::start(command, output, dir),
        _ => sys::Process::spawn(command, output, None, dir),
    }
}

/// Runs the command on the guard's port, which is vacated.
fn spawn(
    guard: &mut PortGuard,
    command: &mut Command,
    output: Output,
    recipe: Option<&Recipe>,
) -> Result<Server, Error> {
    let source = match run(command, &output, recipe) {
        Ok(process) => return Ok(server(guard, command, output, process)),
        Err(source) => source,
    };
    let held = match guard.rearm() {
        Ok(()) => String::new(),
        Err(error) => format!("; and then: {error}"),
    };
    Err(not_started(guard, command, source, held))
}

/// Runs the command with the guard's listener, which it holds.
fn spawn_activated(
    guard: &mut PortGuard,
    command: &mut Command,
    output: Output,
    dir: Option<&Path>,
) -> Result<Server, Error> {
    let started = give(&mut guard.hold().lock(), guard.id(), |socket| {
        sys::Process::spawn(command, &output, socket, dir)
    });
    match started {
        Ok(process) => Ok(server(guard, command, output, process)),
        Err(source) => Err(not_started(guard, command, source, String::new())),
    }
}

/// Gives the listener that is held to what is started.
#[cfg(unix)]
fn give<T>(
    hold: &mut Hold,
    id: Option<&str>,
    start: impl FnOnce(Option<sys::Socket<'_>>) -> io::Result<T>,
) -> io::Result<T> {
    use std::os::fd::AsFd;
    let name = handover::fd_name(id.unwrap_or("unknown"));
    let copy = hold
        .listener()
        .map(|listener| listener.try_clone_to_owned());
    let copy = copy.unwrap_or_else(|| Err(io::Error::other("the listener is gone")))?;
    let started = start(Some((copy.as_fd(), &name)))?;
    hold.give()?;
    Ok(started)
}

#[cfg(not(unix))]
fn give<T>(
    _hold: &mut Hold,
    _id: Option<&str>,
    _start: impl FnOnce(Option<sys::Socket<'_>>) -> io::Result<T>,
) -> io::Result<T> {
    Err(io::ErrorKind::Unsupported.into())
}

fn server(guard: &PortGuard, command: &Command, output: Output, process: sys::Process) -> Server {
    let hold = guard.hold().for_server();
    let (command, pid) = (command_line(command), process.id());
    let shown = format!("`{command}` (process {pid})");
    running::add(guard.port(), pid, shown, &hold);
    Server {
        command,
        started_as: pid,
        addr: guard.addr(),
        process,
        printed_before: 0,
        output: Arc::new(output),
        recipe: None,
        ended: None,
        is_dismissed: false,
        stops_when_dropped: false,
        hold,
        id_of_guard: guard.id().map(str::to_owned),
        owner: process::id(),
        guards: Vec::new(),
        beside: Vec::new(),
        tenancy: guard.tenancy(),
    }
}

fn recipe_error(guard: &PortGuard, command: &Command, what: String) -> Error {
    bad_recipe(guard, command_line(command), what, Printed::default())
}

fn bad_recipe(guard: &PortGuard, command: String, what: String, output: Printed) -> Error {
    Cause::Recipe {
        command,
        id: guard.id().map(str::to_owned),
        port: guard.port(),
        what,
        output,
    }
    .into()
}

fn not_started(guard: &PortGuard, command: &Command, source: io::Error, held: String) -> Error {
    let advice = advice(command, &source);
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

/// What to do about a command that cannot be run.
fn advice(command: &Command, error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::NotFound => return missing(command),
        // The system says so too of a program that is nowhere, if its user may not look into one of the folders.
        io::ErrorKind::PermissionDenied if !is_found(command) => {
            "no folder of the `PATH` has that program, and into one of them its user may not look; is it installed, and is \
             its folder on the `PATH` or in its name?"
        }
        io::ErrorKind::PermissionDenied => "may this user run that file?",
        _ => "can it be run by hand?",
    };
    advice.to_owned()
}

/// Which of the things that a command takes is not there.
fn missing(command: &Command) -> String {
    let program = Path::new(command.get_program());
    match command.get_current_dir() {
        Some(dir) if !dir.exists() => {
            format!("there is no folder `{}` for it to run in", dir.display())
        }
        None if program.is_absolute() && program.exists() => {
            "that file is there, but not what runs it: the program of its `#!` line, or its loader"
                .to_owned()
        }
        _ => "is it installed, and is its folder on the `PATH` or in its name?".to_owned(),
    }
}

/// Whether there is a file that the command would run, as far as this process can see.
fn is_found(command: &Command) -> bool {
    let program = Path::new(command.get_program());
    if program.components().count() > 1 {
        return true;
    }
    let set = command.get_envs().find(|(name, _)| *name == "PATH");
    let folders = match set {
        Some((_, folders)) => folders.map(ToOwned::to_owned),
        None => config::search_path(),
    };
    config::find_in(&folders.unwrap_or_default(), program).is_some()
}

pub(super) fn command_line(command: &Command) -> String {
    let words = [command.get_program()]
        .into_iter()
        .chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    printable(&words.join(" ")).chars().take(300).collect()
}
