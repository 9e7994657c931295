//! A server's processes on Unix: below a guardian, or where none can be had, in a process group.

use std::collections::HashSet;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
#[cfg(target_os = "linux")]
use std::time::Duration;

use rustix::process::Pid;

use crate::exec;
use crate::handover::Activation;
use crate::server::end::{End, Life};
use crate::server::family;
use crate::server::output::Output;
use crate::server::signal::Signal;
#[cfg(target_os = "linux")]
use crate::wait::Wait;

mod at_exit;
mod become_guardian;
mod child;
mod group;
mod guardian;
mod link;
mod pre_exec;
#[cfg(target_os = "linux")]
mod quick;
mod signals;
mod spawner;
mod tie;
#[cfg(target_os = "linux")]
mod vfork;

use become_guardian::Guardian;
pub(crate) use become_guardian::{keep_in_guardians, run_again};
use child::Child;
use group::Group;
pub(crate) use guardian::{first_argument, guard_if_asked, hindrance};
use link::Link;
use pre_exec::{Parent, Plan, Redirect};
use tie::Tie;

/// A server's processes, and what ends them.
#[derive(Debug)]
pub(crate) struct Process {
    /// This process's child: the guardian, or where there is none the first process.
    child: Child,
    first: Pid,
    tie: Tie,
}

/// A socket that the child gets, and its name.
pub(crate) type Socket<'a> = (BorrowedFd<'a>, &'a str);

impl Process {
    /// Plenty to stop a process, unless it hangs in a device.
    #[cfg(target_os = "linux")]
    const STOPPING: Duration = Duration::from_secs(5);

    /// Runs a command that is nothing but a program, its arguments, its environment and the folder to run in. Its output is
    /// captured. If this process ends first, the guardian removes `dir`.
    ///
    /// # Errors
    ///
    /// When it cannot be run, or what is needed for it cannot be had.
    pub(crate) fn start(
        command: &mut Command,
        output: &Output,
        dir: Option<&Path>,
    ) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        if hindrance().is_none()
            && let Some(process) = Self::start_quickly(command, output, dir)?
        {
            return Ok(process);
        }
        // This also tells why the program cannot be run.
        Self::spawn(command, output, None, dir)
    }

    /// None where it cannot be started this way.
    #[cfg(target_os = "linux")]
    fn start_quickly(
        command: &mut Command,
        output: &Output,
        dir: Option<&Path>,
    ) -> io::Result<Option<Self>> {
        let (link, its) = Link::pair()?;
        let Ok(guardian) = Guardian::new(its, output.writer()?.into(), dir) else {
            return Ok(None);
        };
        let Ok((pid, handle)) = quick::start(command, output.writer()?.into(), &guardian) else {
            return Ok(None);
        };
        let child = Child::with_handle(pid, handle);
        // Its end of the link is its own from here on.
        drop(guardian);
        let Some(first) = link.wait_for_start()?.and_then(Pid::from_raw) else {
            link.kill()?;
            child.reap();
            return Ok(None);
        };
        Ok(Some(Self::new(child, first, Tie::Guardian(Arc::new(link)))))
    }

    /// As [`start`](Self::start), for any command, and it may be given a socket.
    ///
    /// # Errors
    ///
    /// When it cannot be run, or what is needed for it cannot be had.
    pub(crate) fn spawn(
        command: &mut Command,
        output: &Output,
        socket: Option<Socket<'_>>,
        dir: Option<&Path>,
    ) -> io::Result<Self> {
        if let Some(why) = hindrance() {
            warn(&format!("{why}, and so no guardian can be run"));
        } else {
            match Self::spawn_guarded(command, output, socket, dir)? {
                Ok(process) => return Ok(process),
                Err(why) => warn(&format!("its guardian cannot be run ({why})")),
            }
        }
        let parent = Parent::Us(rustix::process::getpid());
        let child = Self::run(command, output, socket, parent)?;
        let first = child.pid();
        Ok(Self::new(child, first, Tie::Group(Group::new(first))))
    }

    /// The inner error is about the guardian: without one, the command can still be run.
    fn spawn_guarded(
        command: &mut Command,
        output: &Output,
        socket: Option<Socket<'_>>,
        dir: Option<&Path>,
    ) -> io::Result<Result<Self, io::Error>> {
        let (link, its) = Link::pair()?;
        let parent = match Guardian::new(its, output.writer()?.into(), dir) {
            Ok(guardian) => Parent::Guardian(guardian),
            Err(error) => return Ok(Err(error)),
        };
        let child = match Self::run(command, output, socket, parent) {
            Err(error) if link.has_failed() => return Ok(Err(error)),
            child => child?,
        };
        let Some(first) = link.started().and_then(Pid::from_raw) else {
            return Err(io::Error::other("its guardian has ended"));
        };
        Ok(Ok(Self::new(child, first, Tie::Guardian(Arc::new(link)))))
    }

    fn new(child: Child, first: Pid, tie: Tie) -> Self {
        at_exit::add(tie.clone());
        Self { child, first, tie }
    }

    fn run(
        command: &mut Command,
        output: &Output,
        socket: Option<Socket<'_>>,
        parent: Parent,
    ) -> io::Result<Child> {
        let activation = socket
            .map(|(listener, name)| Activation::new(command, listener, name))
            .transpose()?;
        let captured = |stream| -> io::Result<_> {
            if output.is_inherited {
                return Ok(None);
            }
            Ok(Redirect::new(stream, output.writer()?.into()))
        };
        let plan = Arc::new(Plan {
            parent,
            stdin: Redirect::new(rustix::stdio::stdin(), exec::null()?),
            stdout: captured(rustix::stdio::stdout())?,
            stderr: captured(rustix::stdio::stderr())?,
            activation,
        });
        pre_exec::attach(command, &plan);
        let mut child = match &plan.parent {
            // It outlives the thread that starts it, and tells the end of that from the end of the process.
            Parent::Guardian(_) => command.spawn()?,
            Parent::Us(_) => spawner::spawn(command)?,
        };
        output.drain(&mut child)?;
        Ok(Child::new(Pid::from_child(&child)))
    }

    pub(crate) fn id(&self) -> u32 {
        to_number(self.first)
    }

    /// The processes that are the server.
    pub(crate) fn members(&self) -> HashSet<u32> {
        match &self.tie {
            Tie::Guardian(link) => {
                let below = family::below(to_number(self.child.pid()));
                // With the guardian gone, its number may be another process's.
                if link.life().is_over {
                    HashSet::new()
                } else {
                    below
                }
            }
            Tie::Group(group) => group.members(),
        }
    }

    /// # Errors
    ///
    /// When another part of this program has asked for the status, and no guardian tells it.
    pub(crate) fn life(&self) -> io::Result<Life> {
        match &self.tie {
            Tie::Guardian(link) => Ok(link.life()),
            Tie::Group(group) => group.life(),
        }
    }

    /// Sends a signal to the first process, or once that has ended, to those that it left behind.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        let signal = to_system(signal);
        match &self.tie {
            Tie::Guardian(link) => link.say(link::SIGNAL, signal.as_raw()),
            Tie::Group(group) => group.signal(signal),
        }
    }

    /// Stops all of them, or lets them go on.
    pub(crate) fn pause(&self, stops: bool) -> io::Result<()> {
        use rustix::process::Signal;
        let signal = if stops { Signal::STOP } else { Signal::CONT };
        match &self.tie {
            Tie::Guardian(link) => link.say(link::SIGNAL_ALL, signal.as_raw())?,
            Tie::Group(group) => group.signal_all(signal),
        }
        // The guardian passes it on in its own time, and the system stops a process in its own time too.
        #[cfg(target_os = "linux")]
        if stops {
            let mut wait = Wait::new(Self::STOPPING);
            let is_stopped = |pid: &u32| crate::proc::is_stopped(*pid);
            while !self.members().iter().all(is_stopped) {
                if !wait.pause() {
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
        }
        Ok(())
    }

    /// Kills whatever of the server is alive, waits until it is gone, and tells how the first process ended.
    ///
    /// # Errors
    ///
    /// When some of it is still alive seconds later.
    pub(crate) fn end(&self) -> io::Result<End> {
        at_exit::remove(&self.tie);
        match &self.tie {
            Tie::Guardian(link) => {
                let end = link.kill()?;
                self.child.reap();
                Ok(end)
            }
            Tie::Group(group) => group.end(),
        }
    }
}

fn to_number(pid: Pid) -> u32 {
    pid.as_raw_nonzero().get().unsigned_abs()
}

/// Says once what is not promised.
fn warn(why: &str) {
    static SAID: std::sync::Once = std::sync::Once::new();
    SAID.call_once(|| {
        eprintln!(
            "port-for: should this process be killed, then what its servers started may go on: {why}"
        );
    });
}

fn to_system(signal: Signal) -> rustix::process::Signal {
    use rustix::process::Signal as Sys;
    match signal {
        Signal::Term => Sys::TERM,
        Signal::Int => Sys::INT,
        Signal::Quit => Sys::QUIT,
        Signal::Kill => Sys::KILL,
        Signal::Hup => Sys::HUP,
        Signal::Usr1 => Sys::USR1,
        Signal::Usr2 => Sys::USR2,
    }
}
