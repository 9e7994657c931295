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

    use super::super::PortGuard;
    use crate::error::Error;

    /// The descriptor of the first inherited socket.
    const FIRST: RawFd = 3;
    /// Where the copies go that the program is not told of: above what shells and `make` hand to their children.
    const ASIDE: RawFd = 10;

    pub(super) fn hand_over(
        guards: &[PortGuard],
        command: &mut Command,
        inherit: bool,
    ) -> Result<(), Error> {
        let behind = (FIRST..).nth(guards.len()).unwrap_or(ASIDE).max(ASIDE);
        let mut kept = Vec::new();
        let mut sockets = Vec::new();
        for (guard, child_fd) in guards.iter().zip(FIRST..) {
            if let Some(lease) = &guard.lease {
                kept.push(copy(guard, lease.lock().as_fd(), behind)?);
            }
            let hold = guard.hold().lock();
            if let Some(listener) = hold.listener() {
                sockets.push(FdMapping {
                    parent_fd: copy(guard, listener, behind)?,
                    child_fd,
                });
            } else {
                // Shut down they stay bound, and so keep away those who would find the port free before the server
                // is up. They listen to nothing, however long the server lives with them.
                for socket in hold.sockets() {
                    kept.push(copy(guard, socket, behind)?);
                }
            }
        }
        command.preserved_fds(kept);
        if inherit {
            command
                .env("LISTEN_FDS", guards.len().to_string())
                .env("LISTEN_PID", process::id().to_string())
                .env("LISTEN_FDNAMES", names(guards))
                .fd_mappings(sockets)
                .expect("each socket has a descriptor of its own");
        }
        Ok(())
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

    /// Ids separated by colons, each with what systemd allows in a name.
    fn names(guards: &[PortGuard]) -> String {
        let allowed = |c: char| {
            if c.is_ascii_graphic() && c != ':' {
                c
            } else {
                '_'
            }
        };
        let names: Vec<String> = guards
            .iter()
            .map(|guard| guard.id.chars().map(allowed).collect())
            .collect();
        names.join(":")
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
