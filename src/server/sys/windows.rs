//! A server's processes on Windows: a job, which the system ends when the last handle of it is closed, even by the end of
//! this process.

use std::collections::HashSet;
use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::job;
use crate::server::end::{End, Life};
use crate::server::output::Output;
use crate::server::signal::Signal;
use crate::wait::Wait;

/// How long killed processes may take to be gone.
const DYING: Duration = Duration::from_secs(10);

/// No child gets a socket here.
pub(crate) type Socket<'a> = &'a Infallible;

/// A server's child, and the job that it and its descendants are in.
#[derive(Debug)]
pub(crate) struct Process {
    /// It can be asked again and again, and keeps its handle.
    child: Mutex<Child>,
    id: u32,
    job: job::Job,
}

impl Process {
    /// As [`spawn`](Self::spawn).
    pub(crate) fn start(
        command: &mut Command,
        output: &Output,
        dir: Option<&Path>,
    ) -> io::Result<Self> {
        Self::spawn(command, output, None, dir)
    }

    /// Runs the command.
    ///
    /// # Errors
    ///
    /// When it cannot be run, or what is needed for it cannot be had.
    pub(crate) fn spawn(
        command: &mut Command,
        output: &Output,
        _socket: Option<Socket<'_>>,
        _dir: Option<&Path>,
    ) -> io::Result<Self> {
        if !output.is_inherited {
            command.stdout(output.writer()?).stderr(output.writer()?);
        }
        let (child, job) = job::Job::spawn(command)?;
        Ok(Self {
            id: child.id(),
            child: child.into(),
            job,
        })
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// The processes that are the server.
    pub(crate) fn members(&self) -> HashSet<u32> {
        self.job.members()
    }

    pub(crate) fn life(&self) -> io::Result<Life> {
        let first = self.child().try_wait()?.map(|status| End {
            status,
            at: SystemTime::now(),
        });
        Ok(Life {
            first,
            is_over: first.is_some() && self.members().is_empty(),
        })
    }

    /// There is no way to ask a process without a window to end: whatever would end it kills it.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        match signal {
            Signal::Term | Signal::Int | Signal::Quit | Signal::Kill => self.job.kill(),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    pub(crate) fn pause(&self, _stops: bool) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Kills whatever of the server is alive, and tells how the child ended.
    pub(crate) fn end(&self) -> io::Result<End> {
        self.job.kill()?;
        let status = self.child().wait()?;
        // A killed process is gone when the system has closed what it had open, its sockets among that.
        let mut wait = Wait::new(DYING);
        while !self.job.members().is_empty() {
            if !wait.pause() {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        let at = SystemTime::now();
        Ok(End { status, at })
    }
}
