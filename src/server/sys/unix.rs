//! A server's processes on Unix.
//!
//! They form a process group, so that they can be killed together, with those that have left the group found by their
//! parents. A group of its own is out of reach of the terminal's Ctrl-C and of a test runner's kill; that its members
//! do not outlive the test is the job of a guardian: a shell that leads the group, waits for the test's end of a pipe
//! to close, however that comes about, and then kills the group. On Linux the child gets a death signal as well, for
//! machines without a shell.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::pre_exec::{self, Group, Plan, Redirect};
use super::spawner;
use crate::handover::Activation;
use crate::server::family;
use crate::server::output::Output;
use crate::wait::Wait;

/// Processes that can be killed together; while the child was not asked for its status, no other process has its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Family {
    child: Pid,
    group: Option<Pid>,
}

/// A server's child, its process group, and what guards them.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    family: Family,
    guardian: Option<Child>,
}

/// A socket that the child gets, and its name.
pub(crate) type Socket<'a> = (BorrowedFd<'a>, &'a str);

impl Process {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// When it cannot be run, or what is needed for it cannot be had.
    pub(crate) fn spawn(
        command: &mut Command,
        output: &Output,
        socket: Option<Socket<'_>>,
    ) -> io::Result<Self> {
        let mut guardian = Guardian::start();
        let group = match &guardian {
            Some(guardian) => Group::Of(guardian.group),
            None if cfg!(target_os = "linux") => Group::Own,
            None => Group::Parents,
        };
        let activation = socket
            .map(|(listener, name)| Activation::new(command, listener, name))
            .transpose()?;
        let null = File::open("/dev/null")?.into();
        let plan = Arc::new(Plan {
            group,
            parent: rustix::process::getpid(),
            stdin: Redirect::new(rustix::stdio::stdin(), null),
            stdout: Redirect::new(rustix::stdio::stdout(), output.writer()?.into()),
            stderr: Redirect::new(rustix::stdio::stderr(), output.writer()?.into()),
            activation,
        });
        pre_exec::attach(command, &plan);
        let child = spawner::spawn(command)?;
        let pid = Pid::from_child(&child);
        let mut process = Self {
            family: Family {
                child: pid,
                group: match group {
                    Group::Of(group) => Some(group),
                    Group::Own => Some(pid),
                    Group::Parents => None,
                },
            },
            guardian: guardian.as_mut().and_then(Guardian::take),
            child,
        };
        output.drain(&mut process.child)?;
        Ok(process)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn family(&self) -> Family {
        self.family
    }

    /// The processes that are the server, and alive.
    pub(crate) fn members(&self) -> HashSet<u32> {
        self.family.members()
    }

    /// Whether the child has ended. Its status is left where it is, and with it its id.
    pub(crate) fn has_ended(&mut self) -> io::Result<bool> {
        use rustix::process::{WaitId, WaitIdOptions, waitid};
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        loop {
            match waitid(WaitId::Pid(self.family.child), options) {
                Ok(status) => return Ok(status.is_some()),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Asks the child to end.
    pub(crate) fn terminate(&mut self) -> io::Result<()> {
        Ok(kill_process(self.family.child, Signal::TERM)?)
    }

    /// Kills whatever of the server is alive, waits until it is gone, and tells how the child ended.
    ///
    /// # Errors
    ///
    /// When the child has not ended within [`Family::DYING`].
    pub(crate) fn end(&mut self) -> io::Result<ExitStatus> {
        self.family.kill();
        if let Some(mut guardian) = self.guardian.take() {
            // It was killed with its group, but for a group that was never joined.
            guardian.kill()?;
            guardian.wait()?;
        }
        let mut wait = Wait::new(Family::DYING);
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if !wait.pause() {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }
}

impl Family {
    /// Plenty for a killed process, unless it hangs in a device.
    const DYING: Duration = Duration::from_secs(5);

    fn members(self) -> HashSet<u32> {
        family::members(&HashSet::from([raw(self.child)]), self.group.map(raw))
    }

    /// Kills all of them, and waits until they are gone.
    pub(crate) fn kill(self) {
        let mut wait = Wait::new(Self::DYING);
        // While a parent lives, it tells whose its children are; afterwards nobody does.
        let mut roots = HashSet::from([raw(self.child)]);
        loop {
            let alive = family::members(&roots, self.group.map(raw));
            if let Some(group) = self.group {
                // Gone already is as good.
                let _ = kill_process_group(group, Signal::KILL);
            }
            for &pid in &alive {
                if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                    let _ = kill_process(pid, Signal::KILL);
                }
            }
            if alive.is_empty() || !wait.pause() {
                return;
            }
            roots.extend(alive);
        }
    }
}

fn raw(pid: Pid) -> u32 {
    pid.as_raw_nonzero().get().unsigned_abs()
}

/// The shell that leads a server's process group.
struct Guardian {
    shell: Option<Child>,
    group: Pid,
}

impl Guardian {
    /// Starts it; none where there is no shell.
    fn start() -> Option<Self> {
        // It reads from a pipe of which this process has the other end, and nobody else.
        const SCRIPT: &str = "trap '' HUP INT TERM; read -r _; kill -9 0";
        let shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .ok()?;
        Some(Self {
            group: Pid::from_child(&shell),
            shell: Some(shell),
        })
    }

    fn take(&mut self) -> Option<Child> {
        self.shell.take()
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        // A server that was not started.
        if let Some(shell) = &mut self.shell {
            let _ = shell.kill();
            let _ = shell.wait();
        }
    }
}
