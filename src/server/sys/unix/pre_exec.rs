//! What a child does between fork and exec.
//!
//! There, in a copy of a process whose other threads are gone, only system calls are allowed: nothing that allocates
//! or locks. Everything is made ready before the fork.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;

use rustix::fs::Stat;
use rustix::io::Errno;
use rustix::process::Pid;

use super::become_guardian::Guardian;
use super::signals;
use crate::handover::Activation;

/// What the next child of a command does. A command that outlives the plan, to be run again by other code, is as
/// it was before.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) parent: Parent,
    pub(super) stdin: Option<Redirect>,
    pub(super) stdout: Option<Redirect>,
    pub(super) stderr: Option<Redirect>,
    pub(super) activation: Option<Activation>,
}

/// Whose child the server is to be.
#[derive(Debug)]
pub(super) enum Parent {
    /// This process's, whose id it is.
    Us(Pid),
    Guardian(Guardian),
}

/// Replaces a stream that is still this process's own.
#[derive(Debug)]
pub(super) struct Redirect {
    ours: Stat,
    to: OwnedFd,
}

impl Redirect {
    /// Sends what would be the stream `ours` to `to`; none when ours is closed.
    pub(super) fn new(ours: BorrowedFd<'_>, to: OwnedFd) -> Option<Self> {
        // Closed: then a child has it only if its command says so.
        let ours = rustix::fs::fstat(ours).ok()?;
        Some(Self { ours, to })
    }

    /// Whether the child's stream is the same file, pipe or terminal that ours is.
    fn concerns(&self, stream: BorrowedFd<'_>) -> bool {
        rustix::fs::fstat(stream).is_ok_and(|stream| {
            (stream.st_dev, stream.st_ino) == (self.ours.st_dev, self.ours.st_ino)
        })
    }
}

/// Has the next child of `command` carry the plan out, for as long as the plan lives.
pub(super) fn attach(command: &mut Command, plan: &Arc<Plan>) {
    let plan = Arc::downgrade(plan);
    let pre_exec = move || plan.upgrade().map_or(Ok(()), |plan| plan.carry_out());
    // SAFETY: the closure makes system calls on what the plan has ready. Counting references is atomic, and the count that
    // the child drops is never the last one: the process that forked it keeps the plan until then.
    unsafe {
        command.pre_exec(pre_exec);
    }
}

impl Plan {
    fn carry_out(&self) -> io::Result<()> {
        let parent = match &self.parent {
            Parent::Us(us) => *us,
            Parent::Guardian(guardian) => guardian.fork()?,
        };
        begin(parent)?;
        if let Some(redirect) = &self.stdin
            && redirect.concerns(rustix::stdio::stdin())
        {
            rustix::stdio::dup2_stdin(&redirect.to)?;
        }
        if let Some(redirect) = &self.stdout
            && redirect.concerns(rustix::stdio::stdout())
        {
            rustix::stdio::dup2_stdout(&redirect.to)?;
        }
        if let Some(redirect) = &self.stderr
            && redirect.concerns(rustix::stdio::stderr())
        {
            rustix::stdio::dup2_stderr(&redirect.to)?;
        }
        self.activation.as_ref().map_or(Ok(()), Activation::exec)
    }
}

/// What a server's process does first. Its parent is to be `parent`.
pub(super) fn begin(parent: Pid) -> io::Result<()> {
    // A group of its own is out of reach of the terminal's Ctrl-C and of a test runner's kill, and what the server
    // says to its group does not concern the guardian.
    rustix::process::setpgid(None, None)?;
    // A server inherits what its test ignores and blocks, and could not be stopped by it. A test that a script runs in the
    // background ignores these two.
    // SAFETY: the default needs no handler.
    unsafe {
        libc::signal(libc::SIGINT, libc::SIG_DFL);
        libc::signal(libc::SIGQUIT, libc::SIG_DFL);
    }
    signals::unblock_all();
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    // It may have ended before the signal was asked for.
    if rustix::process::getppid() != Some(parent) {
        return Err(Errno::SRCH.into());
    }
    Ok(())
}
