//! A child that is given a socket.
//!
//! Between fork and exec, in a copy of a process whose other threads are gone, only system calls are allowed: nothing that
//! allocates or locks. Everything is made ready before the fork.

#![allow(unsafe_code)]

use std::ffi::{CString, OsStr, OsString, c_char};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::process::Command;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use rustix::io::Errno;
use rustix::process::Pid;

use super::protocol::{FD_NAMES, FDS, FIRST_FD, PID};

/// A socket for descriptor 3, and all that it takes to run the program here and now.
///
/// The standard library runs programs with an environment that was made before the fork, when the child's process id,
/// which `LISTEN_PID` must be, did not exist.
#[derive(Debug)]
pub(crate) struct Activation {
    listener: OwnedFd,
    /// Where the program may be, in the order to try.
    programs: Vec<CString>,
    args: Strings,
    env: Strings,
    /// `LISTEN_PID=`, digits, and a zero. The environment points here.
    listen_pid: Arc<ListenPid>,
}

type ListenPid = [AtomicU8; 32];

/// Strings as the system takes them: pointers, and a null at the end.
#[derive(Debug)]
pub(crate) struct Strings {
    pointers: Vec<*const c_char>,
    /// What they point to.
    _texts: Vec<CString>,
}

// SAFETY: the pointers are to texts that live as long, never change, and are only read.
unsafe impl Send for Strings {}
// SAFETY: as above.
unsafe impl Sync for Strings {}

impl Strings {
    /// This process's environment.
    ///
    /// # Errors
    ///
    /// When a variable contains a zero, which none does.
    pub(crate) fn environment() -> io::Result<Self> {
        let texts = std::env::vars_os().map(variable);
        Ok(Self::new(texts.collect::<io::Result<_>>()?, None))
    }

    pub(crate) fn as_ptr(&self) -> *const *const c_char {
        self.pointers.as_ptr()
    }

    fn new(texts: Vec<CString>, last: Option<*const c_char>) -> Self {
        let mut pointers: Vec<_> = texts.iter().map(|text| text.as_ptr()).collect();
        pointers.extend(last);
        pointers.push(ptr::null());
        Self {
            pointers,
            _texts: texts,
        }
    }
}

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
        let env = environment(command, name);
        let path = env.iter().find(|(name, _)| name == "PATH");
        let programs = programs(command.get_program(), path.map(|(_, value)| &**value))?;
        let args = [command.get_program()]
            .into_iter()
            .chain(command.get_args());
        let args = args.map(text).collect::<io::Result<_>>()?;
        let env = env.into_iter().map(variable).collect::<io::Result<_>>()?;
        let listen_pid = Arc::new(ListenPid::default());
        let last = ptr::from_ref(&*listen_pid).cast();
        Ok(Self {
            listener: listener.try_clone_to_owned()?,
            programs,
            args: Strings::new(args, None),
            env: Strings::new(env, Some(last)),
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
        let mut error = Errno::NOENT.into();
        for program in &self.programs {
            // SAFETY: a path, and two lists that end with null, of strings that end with zero.
            unsafe {
                libc::execve(
                    program.as_ptr(),
                    self.args.pointers.as_ptr(),
                    self.env.pointers.as_ptr(),
                );
            }
            let failed = io::Error::last_os_error();
            match failed.kind() {
                // As a shell does: the next folder, and a file that may not be run is only told of if nothing else is
                // found.
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {}
                io::ErrorKind::PermissionDenied => error = failed,
                _ => return Err(failed),
            }
        }
        Err(error)
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

fn variable((mut name, value): (OsString, OsString)) -> io::Result<CString> {
    name.push("=");
    name.push(value);
    text(&name)
}

fn text(text: &OsStr) -> io::Result<CString> {
    CString::new(text.as_bytes()).map_err(io::Error::from)
}

/// The environment that the command's child gets, without `LISTEN_PID`.
fn environment(command: &mut Command, name: &str) -> Vec<(OsString, OsString)> {
    // What this process inherited is not for the child. A command does not tell whether its environment was cleared, but
    // only one that starts from ours remembers that a variable is to be removed from it.
    command.env_remove(PID);
    let starts_from_ours = command.get_envs().any(|(variable, _)| variable == PID);
    let mut env: Vec<(OsString, OsString)> = if starts_from_ours {
        std::env::vars_os().collect()
    } else {
        Vec::new()
    };
    let ours = [(FDS, "1"), (FD_NAMES, name)];
    let ours = ours.map(|(variable, value)| (OsStr::new(variable), Some(OsStr::new(value))));
    for (variable, value) in command.get_envs().chain(ours) {
        env.retain(|(other, _)| other != variable);
        env.extend(value.map(|value| (variable.to_owned(), value.to_owned())));
    }
    env
}

/// Where a program may be: in the folders of `PATH`, unless it is named by a path.
fn programs(program: &OsStr, path: Option<&OsStr>) -> io::Result<Vec<CString>> {
    if program.as_bytes().contains(&b'/') {
        return Ok(vec![text(program)?]);
    }
    let path = path.unwrap_or(OsStr::new("/bin:/usr/bin"));
    std::env::split_paths(path)
        .map(|folder| {
            let here = Path::new(".");
            let folder = if folder.as_os_str().is_empty() {
                here
            } else {
                &folder
            };
            let program = folder.join(program).into_os_string().into_vec();
            CString::new(program).map_err(io::Error::from)
        })
        .collect()
}
