//! A server's processes on Unix: below a guardian, or where none can be had, in a process group.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
#[cfg(target_os = "linux")]
use std::time::Duration;

use rustix::process::Pid;

use crate::handover::Activation;
use crate::server::end::{End, Life};
use crate::server::family;
use crate::server::output::Output;
use crate::server::signal::Signal;
#[cfg(target_os = "linux")]
use crate::wait::Wait;

mod at_exit;
mod group;
mod guardian;
mod link;
mod pre_exec;
mod spawner;
mod tie;

use group::Group;
pub(crate) use guardian::{first_argument, guard_if_asked, is_at_hand};
use link::Link;
use pre_exec::{Parent, Plan, Redirect};
pub(crate) use pre_exec::{keep_in_guardians, run_again};
use tie::Tie;

/// A server's processes, and what ends them.
#[derive(Debug)]
pub(crate) struct Process {
    /// The guardian, or where there is none the first process.
    child: Child,
    #[cfg(target_os = "linux")]
    handle: Option<std::os::fd::OwnedFd>,
    id: u32,
    tie: Tie,
}

/// A socket that the child gets, and its name.
pub(crate) type Socket<'a> = (BorrowedFd<'a>, &'a str);

impl Process {
    /// Plenty to stop a process, unless it hangs in a device.
    #[cfg(target_os = "linux")]
    const STOPPING: Duration = Duration::from_secs(5);

    /// Runs the command. Should this process end without ending it, its guardian removes the folder.
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
        if guardian::is_at_hand() {
            match Self::spawn_guarded(command, output, socket, dir)? {
                Ok(process) => return Ok(process),
                Err(why) => warn(&format!("its guardian cannot be run ({why})")),
            }
        } else {
            warn(
                "this crate is in a library that was loaded later, and so cannot run a guardian for it",
            );
        }
        let parent = Parent::Us(rustix::process::getpid());
        let child = Self::run(command, output, socket, parent)?;
        let first = Pid::from_child(&child);
        Ok(Self::new(child, first, Tie::Group(Group::new(first))))
    }

    /// The inner error is about the guardian: without one, the command can still be run.
    fn spawn_guarded(
        command: &mut Command,
        output: &Output,
        socket: Option<Socket<'_>>,
        dir: Option<&Path>,
    ) -> io::Result<Result<Self, io::Error>> {
        let (ours, its) = UnixStream::pair()?;
        let link = Link::new(ours)?;
        let parent = match pre_exec::Guardian::new(its.into(), output.writer()?.into(), dir) {
            Ok(guardian) => Parent::Guardian(guardian),
            Err(error) => return Ok(Err(error)),
        };
        let child = match Self::run(command, output, socket, parent) {
            Err(error) if link.has_no_guardian() => return Ok(Err(error)),
            child => child?,
        };
        let Some(first) = link.started().and_then(Pid::from_raw) else {
            return Err(io::Error::other("its guardian has ended"));
        };
        Ok(Ok(Self::new(child, first, Tie::Guardian(Arc::new(link)))))
    }

    fn new(child: Child, first: Pid, tie: Tie) -> Self {
        at_exit::add(tie.clone());
        Self {
            #[cfg(target_os = "linux")]
            handle: rustix::process::pidfd_open(
                Pid::from_child(&child),
                rustix::process::PidfdFlags::empty(),
            )
            .ok(),
            child,
            id: first.as_raw_nonzero().get().unsigned_abs(),
            tie,
        }
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
        let null = File::open("/dev/null")?.into();
        let captured = |stream| -> io::Result<_> {
            if output.is_inherited {
                return Ok(None);
            }
            Ok(Redirect::new(stream, output.writer()?.into()))
        };
        let plan = Arc::new(Plan {
            parent,
            stdin: Redirect::new(rustix::stdio::stdin(), null),
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
        Ok(child)
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// The processes that are the server.
    pub(crate) fn members(&self) -> HashSet<u32> {
        match &self.tie {
            Tie::Guardian(link) => {
                let below = family::below(self.child.id());
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
    pub(crate) fn end(&mut self) -> io::Result<End> {
        at_exit::remove(&self.tie);
        match &self.tie {
            Tie::Guardian(link) => {
                let end = link.kill()?;
                self.reap();
                Ok(end)
            }
            Tie::Group(group) => group.end(&mut self.child),
        }
    }

    /// Asks the guardian, which has ended, for its status: it is of no interest, and may have been asked for by others.
    fn reap(&mut self) {
        #[cfg(target_os = "linux")]
        if let Some(handle) = &self.handle {
            use rustix::process::{WaitId, WaitIdOptions, waitid};
            use std::os::fd::AsFd;
            let id = || WaitId::PidFd(handle.as_fd());
            while let Err(rustix::io::Errno::INTR) = waitid(id(), WaitIdOptions::EXITED) {}
            return;
        }
        let _ = self.child.wait();
    }
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
