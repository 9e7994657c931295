//! For a process that becomes another program, which then has its ports.
//!
//! The guards end with the process's own program, without a drop. What stays is what the kernel keeps: the lock, for
//! as long as a copy of its file is open, and the socket likewise. So copies of both are handed to the program.

use std::io;
use std::process::Command;

use super::PortGuard;
use crate::error::Error;

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
    platform::hand_over(guards, command, inherit)
}

/// Becomes the command, which has what was handed over to it. Returns only if it could not.
#[cfg(unix)]
pub fn become_program(command: &mut Command) -> io::Error {
    use std::os::unix::process::CommandExt;
    command.exec()
}

/// Where a process cannot become another program, waits for the command, and ends as it did. Should this process be
/// killed, the command and its descendants are killed as well: their port is nobody's then.
#[cfg(not(unix))]
pub fn become_program(command: &mut Command) -> io::Error {
    match platform::status(command) {
        // Every process has an exit code there.
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(error) => error,
    }
}

#[cfg(unix)]
mod platform {
    use std::io;
    use std::os::fd::{AsFd, OwnedFd, RawFd};
    use std::process::{self, Command};

    use command_fds::{CommandFdExt, FdMapping};

    use super::super::{PortGuard, Title};
    use crate::error::Error;
    use crate::startup;

    /// The descriptor of the first inherited socket.
    const FIRST: RawFd = 3;
    /// Where the copies go that the program is not told of: above what shells and `make` hand to their children.
    const ASIDE: RawFd = 10;

    pub(super) fn hand_over(
        guards: &[PortGuard],
        command: &mut Command,
        inherit: bool,
    ) -> Result<(), Error> {
        // What this process was started with and has no use for is the command's, as if nobody were in between.
        let others = startup::take_rest();
        let count = others.len() + if inherit { guards.len() } else { 0 };
        let behind = (FIRST..).nth(count).unwrap_or(ASIDE).max(ASIDE);
        let mut kept = Vec::new();
        let mut passed = Vec::new();
        for guard in guards {
            if let Title::Leased(lease) = &guard.title {
                kept.push(copy(guard, lease.lock().as_fd(), behind)?);
            }
            let hold = guard.hold().lock();
            if let Some(listener) = hold.listener() {
                let name = startup::fd_name(guard.id());
                passed.push((name, copy(guard, listener, behind)?));
            } else {
                // Shut down they stay bound, and so keep away those who would find the port free before the server
                // is up. They listen to nothing, however long the server lives with them.
                for socket in hold.sockets() {
                    kept.push(copy(guard, socket, behind)?);
                }
            }
        }
        passed.extend(others);
        command.preserved_fds(kept);
        pass(passed, command);
        Ok(())
    }

    /// Descriptors for the command, each with its name.
    fn pass(sockets: Vec<(String, OwnedFd)>, command: &mut Command) {
        if sockets.is_empty() {
            return;
        }
        let (names, sockets): (Vec<_>, Vec<_>) = sockets.into_iter().unzip();
        let mappings = (FIRST..)
            .zip(sockets)
            .map(|(child_fd, parent_fd)| FdMapping {
                parent_fd,
                child_fd,
            });
        command
            .env("LISTEN_FDS", names.len().to_string())
            .env("LISTEN_PID", process::id().to_string())
            .env("LISTEN_FDNAMES", names.join(":"))
            .fd_mappings(mappings.collect())
            .expect("each socket has a descriptor of its own");
    }

    fn copy(guard: &PortGuard, fd: impl AsFd, behind: RawFd) -> Result<OwnedFd, Error> {
        rustix::io::fcntl_dupfd_cloexec(fd, behind).map_err(|error| {
            let state = format!("its descriptors cannot be copied: {error}");
            let advice = "close what this process has open";
            guard.handoff(
                "hand the port over",
                state,
                advice,
                Some(io::Error::from(error)),
            )
        })
    }
}

#[cfg(not(unix))]
mod platform {
    use std::io;
    use std::process::{Command, ExitStatus};

    use super::super::PortGuard;
    use crate::error::Error;

    pub(super) fn hand_over(
        guards: &[PortGuard],
        _command: &mut Command,
        inherit: bool,
    ) -> Result<(), Error> {
        match guards.first() {
            Some(guard) if inherit => Err(guard.handoff(
                "hand the socket over",
                "programs do not inherit sockets by number on this system".to_owned(),
                "let the program bind the port by itself",
                None,
            )),
            _ => Ok(()),
        }
    }

    #[cfg(windows)]
    pub(super) fn status(command: &mut Command) -> io::Result<ExitStatus> {
        use crate::windows::{console, job::Job};
        console::leave_interrupts_to_the_child()?;
        let (mut child, _job) = Job::spawn(command)?;
        child.wait()
    }

    #[cfg(not(windows))]
    pub(super) fn status(command: &mut Command) -> io::Result<ExitStatus> {
        command.status()
    }
}
