//! The start of a recipe's server, without a copy of this process.
//!
//! The standard library forks when a child is to do something before it runs its program: it copies this process, once for
//! the guardian and once for the server. With fifty tests in one process, that was most of the time of a start. Here the
//! program is run by our own code, which needs to know all that a command does, and only a recipe's tells it.

#![allow(unsafe_code)]

use std::ffi::{CString, c_int};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use rustix::process::Pid;

use super::become_guardian::Guardian;
use super::link::FAILED;
use super::pre_exec;
use super::signals::{self, Blocked};
use super::vfork::{self, Stack};
use crate::exec::{self, Program};

/// Starts a guardian, and below it the server. Returns the guardian's id and handle.
///
/// If the server's program or the guardian's cannot be run, the test hears [`FAILED`], or the end of the link.
///
/// # Errors
///
/// When there can be no guardian: a limit is reached, or the kernel is too old.
pub(super) fn start(
    command: &mut Command,
    output: OwnedFd,
    guardian: &Guardian,
) -> io::Result<(Pid, OwnedFd)> {
    let mut stacks = [Stack::new(), Stack::new()];
    let [stack, stack_of_server] = &mut stacks;
    let server = Server::new(command, output)?;
    let mut be_guardian = || {
        let Ok(parent) = Guardian::settle() else {
            return 1;
        };
        let mut be_server = || server.run(parent, guardian);
        // SAFETY: it makes system calls, and has no handlers by the time that signals get through.
        if let Ok(first) = unsafe { vfork::vfork(stack_of_server, &mut be_server) } {
            guardian.run(first.as_raw_nonzero().get());
        }
        1
    };
    let _blocked = Blocked::new();
    // SAFETY: it makes system calls, and no signals get through.
    unsafe { vfork::vfork_with_handle(stack, &mut be_guardian) }
}

/// All that it takes to become the server.
struct Server {
    program: Program,
    dir: Option<CString>,
    null: OwnedFd,
    output: OwnedFd,
}

impl Server {
    fn new(command: &mut Command, output: OwnedFd) -> io::Result<Self> {
        let env = exec::environment(command);
        let dir = command.get_current_dir().map(Path::as_os_str);
        Ok(Self {
            program: Program::new(command.get_program(), command.get_args(), env, None)?,
            dir: dir.map(|dir| CString::new(dir.as_bytes())).transpose()?,
            null: exec::null()?,
            output,
        })
    }

    /// In the server's process. Returns only if its program cannot be run.
    fn run(&self, parent: Pid, guardian: &Guardian) -> c_int {
        if self.prepare(parent).is_ok() {
            self.program.exec();
        }
        guardian.say(FAILED, 0);
        1
    }

    fn prepare(&self, parent: Pid) -> io::Result<()> {
        signals::forget_handlers();
        // The standard library does the same for its children.
        // SAFETY: the default needs no handler.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        pre_exec::begin(parent)?;
        if let Some(dir) = &self.dir {
            rustix::process::chdir(dir.as_c_str())?;
        }
        rustix::stdio::dup2_stdin(&self.null)?;
        rustix::stdio::dup2_stdout(&self.output)?;
        rustix::stdio::dup2_stderr(&self.output)?;
        Ok(())
    }
}
