//! A server's processes on Windows: a job, which the system ends when the last handle of it is closed, even by the end of
//! this process.

use std::collections::HashSet;
use std::convert::Infallible;
use std::io;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use super::job;
use crate::server::output::Output;
use crate::wait::Wait;

/// How long killed processes may take to be gone.
const DYING: Duration = Duration::from_secs(10);

/// No child gets a socket here.
pub(crate) type Socket<'a> = &'a Infallible;

/// Nothing to do at the process's exit: the job sees to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Family;

/// A server's child, and the job that it and its descendants are in.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    job: job::Job,
}

impl Process {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// When it cannot be run, or what is needed for it cannot be had.
    pub(crate) fn spawn(
        command: &mut Command,
        output: &Output,
        _socket: Option<Socket<'_>>,
    ) -> io::Result<Self> {
        command.stdout(output.writer()?).stderr(output.writer()?);
        let (child, job) = job::Job::spawn(command)?;
        Ok(Self { child, job })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    #[expect(clippy::unused_self, reason = "as on Unix")]
    pub(crate) fn family(&self) -> Family {
        Family
    }

    /// The processes that are the server.
    pub(crate) fn members(&self) -> HashSet<u32> {
        let mut members = self.job.members();
        members.insert(self.id());
        members
    }

    pub(crate) fn has_ended(&mut self) -> io::Result<bool> {
        self.child.try_wait().map(|status| status.is_some())
    }

    /// There is no way to ask a process without a window to end.
    pub(crate) fn terminate(&mut self) -> io::Result<()> {
        self.job.kill()
    }

    /// Kills whatever of the server is alive, and tells how the child ended.
    pub(crate) fn end(&mut self) -> io::Result<ExitStatus> {
        self.job.kill()?;
        let status = self.child.wait()?;
        // A killed process is gone when the system has closed what it had open, its sockets among that.
        let mut wait = Wait::new(DYING);
        while !self.job.members().is_empty() {
            if !wait.pause() {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        Ok(status)
    }
}

/// Nothing to do: the system ends the job with this process.
pub(crate) fn stop_at_exit(_server: Family) {}

/// As [`stop_at_exit`].
pub(crate) fn forget(_server: Family) {}
