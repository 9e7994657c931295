//! Running a program in place of this process, by a child that may only make system calls.
//!
//! Such a child is a copy of a process whose other threads are gone, or shares its memory with them: it must not allocate
//! or lock. Everything is made ready before.

#![allow(unsafe_code)]

use std::ffi::{CString, OsStr, OsString, c_char};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::process::Command;
use std::ptr;

use rustix::io::Errno;

/// A program, with its arguments and its whole environment.
#[derive(Debug)]
pub(crate) struct Program {
    /// Where it may be, in the order to try.
    places: Vec<CString>,
    args: Strings,
    env: Strings,
}

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

impl Program {
    /// Prepares to run a program: a path, or a name that is looked up on the `PATH` of this environment. `last` is one
    /// more variable, which is written later.
    ///
    /// # Errors
    ///
    /// When a text contains a zero.
    pub(crate) fn new<'a>(
        program: &'a OsStr,
        args: impl IntoIterator<Item = &'a OsStr>,
        env: Vec<(OsString, OsString)>,
        last: Option<*const c_char>,
    ) -> io::Result<Self> {
        let path = env.iter().find(|(name, _)| name == "PATH");
        let places = places(program, path.map(|(_, value)| &**value))?;
        let args = [program].into_iter().chain(args).map(text);
        let env = env.into_iter().map(variable);
        Ok(Self {
            places,
            args: Strings::new(args.collect::<io::Result<_>>()?, None),
            env: Strings::new(env.collect::<io::Result<_>>()?, last),
        })
    }

    /// Becomes the program. Returns only if that fails.
    pub(crate) fn exec(&self) -> io::Error {
        let mut error = Errno::NOENT.into();
        for place in &self.places {
            // SAFETY: a path, and two lists that end with null, of strings that end with zero.
            unsafe { libc::execve(place.as_ptr(), self.args.as_ptr(), self.env.as_ptr()) };
            let failed = io::Error::last_os_error();
            match failed.kind() {
                // As a shell does: the next folder, and a file that may not be run is only told of if nothing else is
                // found.
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {}
                io::ErrorKind::PermissionDenied => error = failed,
                _ => return failed,
            }
        }
        error
    }
}

/// Nothing, for a stream of a program. It has a number from 3 on, as every copy has: one of this process's own streams may
/// be closed.
pub(crate) fn null() -> io::Result<OwnedFd> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    null.try_clone().map(OwnedFd::from)
}

/// The environment that the command's child gets.
pub(crate) fn environment(command: &mut Command) -> Vec<(OsString, OsString)> {
    /// A variable that nobody sets.
    const UNUSED: &str = "PORT_FOR_UNUSED";
    // A command does not tell whether its environment was cleared, but only one that starts from ours remembers that a
    // variable is to be removed from it.
    command.env_remove(UNUSED);
    let starts_from_ours = command.get_envs().any(|(name, _)| name == UNUSED);
    let mut env: Vec<(OsString, OsString)> = if starts_from_ours {
        std::env::vars_os().collect()
    } else {
        Vec::new()
    };
    for (name, value) in command.get_envs() {
        env.retain(|(other, _)| other != name);
        env.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    }
    env
}

fn variable((mut name, value): (OsString, OsString)) -> io::Result<CString> {
    name.push("=");
    name.push(value);
    text(&name)
}

fn text(text: &OsStr) -> io::Result<CString> {
    CString::new(text.as_bytes()).map_err(io::Error::from)
}

/// In the folders of `PATH`, unless it is named by a path.
fn places(program: &OsStr, path: Option<&OsStr>) -> io::Result<Vec<CString>> {
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
