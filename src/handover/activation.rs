//! A child that is given a socket.
//!
//! Between fork and exec it makes system calls only: see [`exec`]. Everything is made ready before the fork.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::process::Command;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use rustix::process::Pid;

use super::protocol::{FD_NAMES, FDS, FIRST_FD, PID};
use crate::exec::{self, Program};

/// A socket for descriptor 3, and all that it takes to run the program here and now.
///
/// The standard library runs programs with an environment that was made before the fork, when the child's process id,
/// which `LISTEN_PID` must be, did not exist.
#[derive(Debug)]
pub(crate) struct Activation {
    listener: OwnedFd,
    program: Program,
    /// `LISTEN_PID=`, digits, and a zero. The environment points here.
    listen_pid: Arc<ListenPid>,
}

type ListenPid = [AtomicU8; 32];

impl Activation {
    /// Prepares to run what `command` runs, with the listener and its name.
    ///
    /// # Errors
    ///
    /// When the listener cannot be copied, or a text contains a zero.
    pub(crate) fn new(
        command: &mut Command,
        listener: BorrowedFd<'_>,
        name: &str,
    ) -> io::Result<Self> {
        let mut env = exec::environment(command);
        // What this process inherited is not for the child.
        env.retain(|(variable, _)| ![PID, FDS, FD_NAMES].iter().any(|ours| variable == ours));
        env.extend([(FDS, "1"), (FD_NAMES, name)].map(|(name, value)| (name.into(), value.into())));
        let listen_pid = Arc::new(ListenPid::default());
        let last = ptr::from_ref(&*listen_pid).cast();
        Ok(Self {
            listener: listener.try_clone_to_owned()?,
            program: Program::new(command.get_program(), command.get_args(), env, Some(last))?,
            listen_pid,
        })
    }

    /// In the child: becomes the program. Returns only if that fails.
    pub(crate) fn exec(&self) -> io::Result<()> {
        self.write_pid(rustix::process::getpid());
        if self.listener.as_raw_fd() == FIRST_FD {
            rustix::io::fcntl_setfd(&self.listener, rustix::io::FdFlags::empty())?;
        } else {
            // SAFETY: in a process that is about to become another program, nothing else uses the descriptor. Should
            // the standard library have put there what it reports a failed exec by, then the failure is only seen as
            // a child that ended at once.
            let copied = unsafe { libc::dup2(self.listener.as_raw_fd(), FIRST_FD) };
            if copied == -1 {
                return Err(io::Error::last_os_error());
            }
        }
        Err(self.program.exec())
    }

    fn write_pid(&self, pid: Pid) {
        let mut digits = [0; 10];
        let mut rest = pid.as_raw_nonzero().get().unsigned_abs();
        let mut first = digits.len();
        while rest > 0 {
            first -= 1;
            digits[first] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        let text = (PID.bytes())
            .chain(*b"=")
            .chain(digits[first..].iter().copied())
            .chain(*b"\0");
        for (place, byte) in self.listen_pid.iter().zip(text) {
            place.store(byte, Ordering::Relaxed);
        }
    }
}
