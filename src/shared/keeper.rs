//! The keeper: the process that owns a shared server's lease and child.
//!
//! It is this program again, caught before `main`, in a session of its own and with nothing of the test's open: neither a
//! test runner's kill nor its look for leaked handles concerns it. Its server has a guardian, as a test's has; both hold
//! the server's [life](Place::life), so that no other keeper starts one while anything of it is left.

use std::env;
use std::fs::File;
use std::io::{self, Read, Write};
use std::panic;
use std::process::{self, Command};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::order::{HERE, Order};
use super::place::Place;
use super::state::{End, Failure, Phase, State};
use crate::acquire;
use crate::config;
use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::files;
use crate::handover;
use crate::lease::Lock;
use crate::server::{self, Server, ServerCommand, log};
use crate::wait::{Wait, Waiter, without_pending};

/// What a keeper is called, and known by.
const NAME: &str = "port-for-keeper";
/// How often it looks.
const LOOK: Duration = Duration::from_millis(20);
/// How long another process's look at a lock may take.
const GLANCE: Duration = Duration::from_secs(1);
/// Longer than a guardian takes to end its server.
const DYING: Duration = Duration::from_secs(15);
/// Variables of one run of tests, and of this crate, which are not for a server of all.
const OF_THE_RUN: [&str; 3] = ["NEXTEST", "CARGO", handover::PREFIX];
const OURS: &str = "PORT_FOR_";

/// This program, to be run again as a keeper. What follows its name is for people who look at processes.
///
/// # Errors
///
/// Where it would not be caught before `main`.
pub(super) fn command(order: &Order) -> io::Result<Command> {
    if let Some(why) = server::hindrance() {
        let why = format!("{why}, and so none can be run: use `start`");
        return Err(io::Error::new(io::ErrorKind::Unsupported, why));
    }
    let mut command = server::run_again(NAME)?;
    command.args(["of", &order.id]);
    for name in config::names_with(&OF_THE_RUN) {
        command.env_remove(name);
    }
    Ok(command)
}

/// Called before `main`: becomes a keeper if this process was started as one.
pub(crate) fn keep_if_asked() {
    if server::first_argument().as_deref() != Some(NAME) {
        return;
    }
    let kept = panic::catch_unwind(keep);
    process::exit(i32::from(!matches!(kept, Ok(Ok(())))));
}

fn keep() -> Result<(), Error> {
    match take_place() {
        Ok((context, order, place, lock)) => {
            leave_stdio();
            // So as not to keep a folder from being unmounted.
            let _ = env::set_current_dir("/");
            let mut keeper = Keeper { place, order, lock };
            keeper.run(&Arc::new(context))
        }
        Err(why) => {
            // Read by the process that has started it, if that lives.
            let _ = writeln!(io::stderr(), "{why}");
            process::exit(1)
        }
    }
}

fn take_place() -> Result<(Context, Order, Place, Lock), String> {
    let mut text = String::new();
    let order = io::stdin()
        .read_to_string(&mut text)
        .ok()
        .and_then(|_| Order::parse(&serde_json::from_str(&text).ok()?))
        .ok_or("it cannot read what it is to do")?;
    let told = |error: Error| error.to_string();
    let context = Context::open(&order.store).map_err(told)?;
    let place = Place::of(&context.store, &order.id, &order.state.key).map_err(told)?;
    let lock = without_pending(place.lock(&place.keeper(), Wait::new(GLANCE)));
    let lock = lock.map_err(told)?.ok_or("there is another keeper")?;
    // The process that has started it may be gone; then the next one that comes finds a keeper.
    let _ = io::stdout().write_all(HERE.as_bytes());
    let _ = io::stdout().flush();
    Ok((context, order, place, lock))
}

/// From now on stdin, stdout and stderr are `/dev/null`.
fn leave_stdio() {
    let null = File::options().read(true).write(true).open("/dev/null");
    let left = null.is_ok_and(|null| {
        rustix::stdio::dup2_stdin(&null)
            .and_then(|()| rustix::stdio::dup2_stdout(&null))
            .and_then(|()| rustix::stdio::dup2_stderr(&null))
            .is_ok()
    });
    if !left {
        // The test would wait for the end of these streams.
        process::exit(1);
    }
}

struct Keeper {
    place: Place,
    order: Order,
    /// Held until the end of this process.
    lock: Lock,
}

impl Keeper {
    fn run(&mut self, context: &Arc<Context>) -> Result<(), Error> {
        let started = self.take_life().and_then(|life| {
            let server = self.start_server(context)?;
            Ok((life, server))
        });
        let (_life, mut server) = match started {
            Ok(started) => started,
            Err(error) => {
                return self.publish(|state| {
                    state.phase = Phase::Failed(Failure {
                        kind: error.kind(),
                        message: error.to_string(),
                    });
                });
            }
        };
        let (id, addr) = (server.id(), server.addr());
        self.publish(|state| state.phase = Phase::Ready { server: id, addr })?;
        self.watch(&mut server)
    }

    /// Waits until nothing is left of the server before, whose keeper may have been killed a moment ago.
    fn take_life(&self) -> Result<Lock, Error> {
        use std::os::fd::AsFd;
        let path = self.place.life();
        let life = without_pending(self.place.lock(&path, Wait::new(DYING)))?;
        let Some(life) = life else {
            let why = "something of the server before it is left, whose keeper was killed";
            return Err(self.place.failed(ErrorKind::Busy, why));
        };
        let kept = life.as_fd().try_clone_to_owned();
        let kept = kept.map_err(|error| files::failed("keep open", &path, error))?;
        server::keep_in_guardians(kept);
        Ok(life)
    }

    fn start_server(&self, context: &Arc<Context>) -> Result<Server, Error> {
        let recipe = ServerCommand::from_json(&self.order.recipe).ok_or_else(|| {
            self.place
                .failed(ErrorKind::NotStarted, "its keeper cannot read the recipe")
        })?;
        self.place.clear();
        // Made here, so that nothing that was planted under its name is written to.
        files::open_lock(&self.place.log(), self.place.access())?;
        let names = config::names_with(&[&OF_THE_RUN[..], &[OURS]].concat());
        let command = names
            .into_iter()
            .fold(recipe, ServerCommand::without_inherited)
            .output_to(self.place.log());
        let mut guards = acquire::guards(context, std::slice::from_ref(&self.order.ask))?;
        let server = guards[0].start(&command)?.owning(guards);
        Ok(server.stopping_when_dropped())
    }

    /// Watches over the server until it has ended, or is to end.
    fn watch(&mut self, server: &mut Server) -> Result<(), Error> {
        let mut unused_since = None;
        let log = File::options()
            .read(true)
            .write(true)
            .open(self.place.log())
            .ok();
        loop {
            thread::sleep(LOOK);
            if let Some(log) = &log {
                log::trim(log);
            }
            if !server.is_running() {
                return self.publish_end(server);
            }
            // Another folder would have other locks, and another server.
            if !self.lock.is_in_place() {
                return server.stop().map(drop);
            }
            let state = self.published()?;
            if state.end != End::Now && self.place.users().any()? {
                unused_since = None;
                continue;
            }
            let unused = unused_since.get_or_insert_with(Instant::now).elapsed();
            let is_due = state.end != End::AfterLinger || unused >= state.linger;
            if is_due && self.closes()? {
                server.stop()?;
                self.place.clear();
                let _ = std::fs::remove_file(self.place.state());
                return Ok(());
            }
        }
    }

    /// Under the gate, which no user passes meanwhile: one may have passed since the last look.
    fn closes(&mut self) -> Result<bool, Error> {
        let _gate = self.gate()?;
        let mut state = self.read();
        if state.end != End::Now && self.place.users().any()? {
            return Ok(false);
        }
        state.phase = Phase::Ending;
        state.write(&self.place)?;
        Ok(true)
    }

    fn publish_end(&mut self, server: &mut Server) -> Result<(), Error> {
        let how = match server.try_wait() {
            Ok(Some(status)) => format!("ended by itself ({status})"),
            _ => "ended by itself".to_owned(),
        };
        self.publish(|state| state.phase = Phase::Ended(how))
    }

    /// What is published about this server, with what its users want of it. Published anew if another program has made
    /// something else of it.
    fn published(&mut self) -> Result<State, Error> {
        let start = &self.order.state.start;
        match State::read(&self.place) {
            Ok(Some(state)) if state.start == *start => self.order.state = state,
            _ => self.publish(|_| ())?,
        }
        Ok(self.order.state.clone())
    }

    /// As it was read last, if it cannot be read.
    fn read(&self) -> State {
        match State::read(&self.place) {
            Ok(Some(state)) if state.start == self.order.state.start => state,
            _ => self.order.state.clone(),
        }
    }

    fn publish(&mut self, change: impl FnOnce(&mut State)) -> Result<(), Error> {
        let _gate = self.gate()?;
        let mut state = self.read();
        state.keeper = Some(process::id());
        change(&mut state);
        state.write(&self.place)?;
        self.order.state = state;
        Ok(())
    }

    fn gate(&self) -> Result<Lock, Error> {
        without_pending(self.place.gate(Waiter::Thread))
    }
}
