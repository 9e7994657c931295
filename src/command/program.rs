//! For a process that becomes another program, which then has its ports.
//!
//! The guards end with the process's own program, without a drop. What stays is what the kernel keeps: the lock, for
//! as long as a copy of its file is open, and the socket likewise. So copies of both are handed to the program.

use std::io;
use std::process::Command;

use crate::error::Error;
use crate::guard::PortGuard;
#[cfg(unix)]
use crate::shared::SharedServer;

/// Makes `command` have the guards' ports once this process has become it. Keep the guards until then.
///
/// With `inherit`, the listening sockets are its descriptors 3, 4 and so on, announced the way systemd does it
/// (`LISTEN_FDS`); only for a command that replaces this process, whose id that announcement bears. Otherwise the
/// ports are vacated.
///
/// # Errors
///
/// [`Handoff`](crate::ErrorKind::Handoff) when the system cannot do it.
pub fn hand_over(
    guards: &mut [PortGuard],
    command: &mut Command,
    inherit: bool,
) -> Result<(), Error> {
    if !inherit {
        for guard in &mut *guards {
            guard.vacate()?;
        }
    }
    sys::hand_over(guards, command, inherit)
}

/// Makes `command` a user of the server once this process has become it, until it has ended.
///
/// # Errors
///
/// When its lock cannot be copied.
#[cfg(unix)]
pub fn keep_use(server: &SharedServer, command: &mut Command) -> io::Result<()> {
    use command_fds::CommandFdExt;
    let Some(lock) = server.lock() else {
        return Ok(());
    };
    let copy = rustix::io::fcntl_dupfd_cloexec(lock, sys::ASIDE)?;
    command.preserved_fds(vec![copy]);
    Ok(())
}

/// Becomes the command, which has what was handed over to it. Returns only if it could not.
#[cfg(unix)]
pub fn become_program(command: &mut Command) -> io::Error {
    use std::os::unix::process::CommandExt;
    command.exec()
}

/// Where a process cannot become another program, waits for the command, and ends as it did. Should this process be
/// killed, the command and its descendants are killed as well: their port is free then.
#[cfg(windows)]
pub fn become_program(command: &mut Command) -> io::Error {
    match sys::status(command) {
        // Every process has an exit code there.
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(error) => error,
    }
}

#[cfg(unix)]
mod sys {
    use std::io;
    use std::os::fd::{AsFd, OwnedFd, RawFd};
    use std::process::Command;

    use command_fds::CommandFdExt;

    use crate::error::Error;
    use crate::guard::PortGuard;
    use crate::handover::{self, FIRST_FD};

    /// Where the copies go that the program is not told of: above what shells and `make` hand to their children.
    pub(super) const ASIDE: RawFd = 10;

    pub(super) fn hand_over(
        guards: &[PortGuard],
        command: &mut Command,
        inherit: bool,
    ) -> Result<(), Error> {
        // What this process was started with and has no use for is the command's, as if nothing were in between.
        let others = handover::take_rest();
        let count = others.len() + if inherit { guards.len() } else { 0 };
        let behind = (FIRST_FD..).nth(count).unwrap_or(ASIDE).max(ASIDE);
        let mut kept = Vec::new();
        let mut passed = Vec::new();
        for guard in guards {
            for lock in guard.locks() {
                kept.push(copy(guard, lock.as_fd(), behind)?);
            }
            let mut hold = guard.hold().lock();
            // The program binds them by itself, even if it is given the port.
            (hold.vacate_companions()).map_err(|error| cannot(guard, "its companions", error))?;
            #[cfg(target_os = "linux")]
            for marker in hold.markers() {
                kept.push(copy(guard, marker, behind)?);
            }
            // Shut down they stay bound, and so keep away others that would find the port free before the server is up.
            // They listen to nothing, however long the server lives with them.
            for socket in hold.quiet_sockets() {
                kept.push(copy(guard, socket, behind)?);
            }
            if let Some(listener) = hold.listener() {
                let name = handover::fd_name(guard.id().unwrap_or("unknown"));
                passed.push((name, copy(guard, listener, behind)?));
            }
        }
        passed.extend(others);
        command.preserved_fds(kept);
        handover::pass(passed, command);
        Ok(())
    }

    fn copy(guard: &PortGuard, fd: impl AsFd, behind: RawFd) -> Result<OwnedFd, Error> {
        rustix::io::fcntl_dupfd_cloexec(fd, behind)
            .map_err(|error| cannot(guard, "its descriptors", error.into()))
    }

    fn cannot(guard: &PortGuard, what: &str, error: io::Error) -> Error {
        let state = format!("{what} cannot be handed over: {error}");
        let advice = "close what this process has open";
        guard.handoff("hand the port over", state, advice, Some(error))
    }
}

#[cfg(windows)]
mod sys {
    use std::io;
    use std::process::{Command, ExitStatus};

    use crate::error::{Cause, Error};
    use crate::guard::PortGuard;

    pub(super) fn hand_over(
        guards: &[PortGuard],
        _command: &mut Command,
        inherit: bool,
    ) -> Result<(), Error> {
        match guards.first() {
            Some(_) if inherit => Err(Cause::Unsupported {
                wanted: "hand the socket over",
                advice: "let the program bind the port by itself",
            }
            .into()),
            _ => Ok(()),
        }
    }

    pub(super) fn status(command: &mut Command) -> io::Result<ExitStatus> {
        use crate::command::console;
        use crate::server::Job;
        console::leave_interrupts_to_the_child()?;
        let (mut child, _job) = Job::spawn(command)?;
        child.wait()
    }
}
