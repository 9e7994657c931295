//! What a process does to become a server's guardian, and what that takes.
//!
//! It may only make system calls: see [`exec`](crate::exec). Everything is made ready before the fork.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::ptr;
use std::sync::OnceLock;

use rustix::process::Pid;

use super::link::{self, FAILED, STARTED};
use super::signals;
use crate::exec::{self, Strings};

/// All that it takes to become the guardian.
#[derive(Debug)]
pub(super) struct Guardian {
    program: CString,
    name: CString,
    /// What it removes if the test is gone; empty for nothing.
    dir: CString,
    env: Strings,
    link: OwnedFd,
    output: OwnedFd,
    /// Its stderr, on which it says nothing.
    kept: OwnedFd,
}

/// What the guardians of this process keep open until nothing of their servers is left.
static KEPT: OnceLock<OwnedFd> = OnceLock::new();

/// Has guardians keep a descriptor open, and with it a lock that outlives this process if it is killed.
pub(crate) fn keep_in_guardians(kept: OwnedFd) {
    // A process sets it once.
    let _ = KEPT.set(kept);
}

/// The command that runs this program again, under this name and in a session of its own, with nothing of this process's
/// open but its streams.
pub(crate) fn run_again(name: &str) -> io::Result<Command> {
    use std::os::unix::ffi::OsStrExt;
    let program = executable()?;
    let mut command = Command::new(std::ffi::OsStr::from_bytes(program.as_bytes()));
    command.arg0(name);
    // SAFETY: the closure makes system calls.
    unsafe {
        command.pre_exec(|| {
            rustix::process::setsid()?;
            close_others();
            // Before `main`, it is not ignored yet.
            libc::signal(libc::SIGPIPE, libc::SIG_IGN);
            Ok(())
        });
    }
    Ok(command)
}

impl Guardian {
    /// Prepares it, with its end of the link, the file that it keeps small, and the folder that it removes if the test is
    /// gone.
    pub(super) fn new(link: OwnedFd, output: OwnedFd, dir: Option<&Path>) -> io::Result<Self> {
        use std::os::unix::ffi::OsStrExt;
        let dir = dir.map_or(&[][..], |dir| dir.as_os_str().as_bytes());
        Ok(Self {
            dir: CString::new(dir)?,
            program: executable()?,
            name: CString::new(super::guardian::NAME)?,
            env: Strings::environment()?,
            link,
            output,
            kept: match KEPT.get() {
                Some(kept) => kept.try_clone()?,
                None => exec::null()?,
            },
        })
    }

    /// Forks. The parent becomes the guardian, and returns only if that fails; the child goes on, with its parent's id.
    pub(super) fn fork(&self) -> io::Result<Pid> {
        signals::block_all();
        let guardian = Self::settle()?;
        // SAFETY: the child does what this process would do: system calls, and running a program.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => Ok(guardian),
            first => Err(self.run(first)),
        }
    }

    /// Makes this process one that can be a server's parent, and returns its id. The caller has blocked all signals.
    pub(super) fn settle() -> io::Result<Pid> {
        become_reaper()?;
        // The leader of a group, as the command may want it, cannot leave its session, and need not.
        let _ = rustix::process::setsid();
        #[cfg(target_os = "linux")]
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::HUP))?;
        // SAFETY: an ignored signal would have the system forget how the server ended; nothing else uses it here.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
        Ok(rustix::process::getpid())
    }

    /// Becomes the guardian of the child. Returns only if that fails, and then the child is gone.
    pub(super) fn run(&self, first: libc::pid_t) -> io::Error {
        let error = self.try_run(first);
        // SAFETY: the child is this process's, and was not waited for yet; the pointer may be null.
        unsafe {
            libc::kill(first, libc::SIGKILL);
            libc::waitpid(first, ptr::null_mut(), 0);
        }
        self.say(FAILED, 0);
        error
    }

    /// Sends a report to the test. If the test has ended, the guardian will find that out, and end what was started.
    pub(super) fn say(&self, about: u8, number: i32) {
        let _ = rustix::io::write(&self.link, &link::report(about, number));
    }

    fn try_run(&self, first: libc::pid_t) -> io::Error {
        self.say(STARTED, first);
        let streams = rustix::stdio::dup2_stdin(&self.link)
            .and_then(|()| rustix::stdio::dup2_stdout(&self.output))
            .and_then(|()| rustix::stdio::dup2_stderr(&self.kept));
        if let Err(error) = streams {
            return error.into();
        }
        close_others();
        let mut digits = [0; 12];
        let args = [
            self.name.as_ptr(),
            decimal(first, &mut digits).as_ptr(),
            self.dir.as_ptr(),
            ptr::null(),
        ];
        // SAFETY: a path, and two lists that end with null, of strings that end with zero.
        unsafe { libc::execve(self.program.as_ptr(), args.as_ptr(), self.env.as_ptr()) };
        io::Error::last_os_error()
    }
}

/// Descendants that lose their parents become this process's children.
fn become_reaper() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    #[cfg(target_os = "freebsd")]
    // SAFETY: the call takes no data for this command.
    if unsafe { libc::procctl(libc::P_PID, 0, libc::PROC_REAP_ACQUIRE, ptr::null_mut()) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Has descriptors that the test inherited from others closed in the guardian: who waits for their end does not know
/// of it.
fn close_others() {
    const CLOEXEC: libc::c_int = libc::FD_CLOEXEC;
    #[cfg(target_os = "linux")]
    // SAFETY: the call changes flags of this process's descriptors, which is about to become another program.
    if unsafe {
        libc::syscall(
            libc::SYS_close_range,
            3,
            libc::c_uint::MAX,
            4, /* CLOEXEC */
        )
    } == 0
    {
        return;
    }
    for fd in 3..1024 {
        // SAFETY: as above.
        unsafe { libc::fcntl(fd, libc::F_SETFD, CLOEXEC) };
    }
}

/// This program. On Linux also when its file was replaced meanwhile.
fn executable() -> io::Result<CString> {
    #[cfg(not(target_os = "linux"))]
    use std::os::unix::ffi::OsStringExt;
    #[cfg(target_os = "linux")]
    let path = crate::proc::EXECUTABLE.to_owned().into_bytes();
    #[cfg(not(target_os = "linux"))]
    let path = std::env::current_exe()?.into_os_string().into_vec();
    Ok(CString::new(path)?)
}

/// The number, in the buffer's end.
fn decimal(number: i32, buffer: &mut [u8; 12]) -> &CStr {
    let mut rest = number.unsigned_abs();
    let mut first = buffer.len() - 1;
    while rest > 0 {
        first -= 1;
        buffer[first] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    CStr::from_bytes_with_nul(&buffer[first..]).unwrap_or_default()
}
