//! What a child does between fork and exec.
//!
//! There, in a copy of a process whose other threads are gone, only system calls are allowed: nothing that allocates
//! or locks. Everything is made ready before the fork.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::ptr;
use std::sync::{Arc, OnceLock};

use rustix::fs::Stat;
use rustix::io::Errno;
use rustix::process::Pid;

use super::link::{self, NO_GUARDIAN, STARTED};
use crate::handover::{Activation, Strings};

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
        // A group of its own is out of reach of the terminal's Ctrl-C and of a test runner's kill, and what the server
        // says to its group does not concern the guardian.
        rustix::process::setpgid(None, None)?;
        // A test that a script runs in the background ignores both. The server would too, and could not be stopped by them.
        for signal in [libc::SIGINT, libc::SIGQUIT] {
            // SAFETY: the default needs no handler.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        #[cfg(target_os = "linux")]
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
        // It may have ended before the signal was asked for.
        if rustix::process::getppid() != Some(parent) {
            return Err(Errno::SRCH.into());
        }
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
                None => std::fs::File::options()
                    .write(true)
                    .open("/dev/null")?
                    .into(),
            },
        })
    }

    /// Forks. The parent becomes the guardian, and returns only if that fails; the child goes on, with its
    /// parent's id.
    fn fork(&self) -> io::Result<Pid> {
        // From here on no signal may end this process: the server can have descendants before the guardian runs, and without
        // this process they would be orphans. The guardian checks whether the test still lives.
        let before = Signals::put_off();
        become_reaper()?;
        // The leader of a group, as the command may want it, cannot leave its session, and need not.
        let _ = rustix::process::setsid();
        #[cfg(target_os = "linux")]
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::HUP))?;
        // SAFETY: an ignored signal would have the system forget how the server ended; nothing else uses it here.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
        let guardian = rustix::process::getpid();
        // SAFETY: the child does what this process would do: system calls, and running a program.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                before.restore();
                Ok(guardian)
            }
            first => Err(self.run(first)),
        }
    }

    /// Becomes the guardian of the child.
    fn run(&self, first: libc::pid_t) -> io::Error {
        let error = self.try_run(first);
        // SAFETY: the child is this process's, and was not waited for yet; the pointer may be null.
        unsafe {
            libc::kill(first, libc::SIGKILL);
            libc::waitpid(first, ptr::null_mut(), 0);
        }
        // A test that has ended does not hear it.
        let _ = rustix::io::write(&self.link, &link::report(NO_GUARDIAN, 0));
        error
    }

    fn try_run(&self, first: libc::pid_t) -> io::Error {
        // A test that has ended does not hear it: then the guardian ends what has been started.
        let _ = rustix::io::write(&self.link, &link::report(STARTED, first));
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

/// The signal settings before a guardian changes them: it blocks the death signal until it is ready, and ignores SIGPIPE, for
/// the test at the other end of the link may have ended.
struct Signals {
    mask: libc::sigset_t,
    pipe: libc::sighandler_t,
}

impl Signals {
    fn put_off() -> Self {
        // SAFETY: the sets are made by the calls before they are read; an ignored signal needs no handler.
        unsafe {
            let (mut hangup, mut mask) = (MaybeUninit::uninit(), MaybeUninit::uninit());
            libc::sigemptyset(hangup.as_mut_ptr());
            libc::sigaddset(hangup.as_mut_ptr(), libc::SIGHUP);
            libc::sigemptyset(mask.as_mut_ptr());
            libc::sigprocmask(libc::SIG_BLOCK, hangup.as_ptr(), mask.as_mut_ptr());
            Self {
                mask: mask.assume_init(),
                pipe: libc::signal(libc::SIGPIPE, libc::SIG_IGN),
            }
        }
    }

    /// For the server.
    fn restore(&self) {
        // SAFETY: both are what the system has told.
        unsafe {
            libc::signal(libc::SIGPIPE, self.pipe);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const self.mask, ptr::null_mut());
        }
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
