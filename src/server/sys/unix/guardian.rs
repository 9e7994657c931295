//! The guardian: the program that is a server's parent, and ends it.
//!
//! It is this very executable, run again and caught before `main`. It waits for words from the test, and for the end of
//! the test, however that comes about. Then it kills whatever is below it: on Linux and FreeBSD it is the reaper of
//! descendants that lost their parents, so groups, sessions and daemons change nothing.

#![allow(unsafe_code)]

use std::collections::HashSet;
use std::env;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, kill_process};

use super::link::{self, ENDED, EXIT, KILL, SIGNAL, SIGNAL_ALL};
use super::signals;
use crate::server::{family, output};

/// What the guardian is called, and known by.
pub(super) const NAME: &str = "port-for-guardian";

/// Set by the constructor: a program that is run again as a guardian will be caught before its `main`.
static IS_CAUGHT: AtomicBool = AtomicBool::new(false);

/// Called before `main`: becomes the guardian if this process was started as one.
pub(crate) fn guard_if_asked() {
    let mut args = arguments();
    if args.next().as_deref() != Some(NAME) {
        IS_CAUGHT.store(true, Ordering::Relaxed);
        return;
    }
    let first = args.next().and_then(|pid| pid.parse().ok());
    let dir = args.next().filter(|dir| !dir.is_empty());
    let ended = first.and_then(Pid::from_raw).map(|first| guard(first, dir));
    let code = i32::from(!matches!(ended, Some(Ok(()))));
    // SAFETY: it ends this process; nothing that runs at an exit has begun.
    unsafe { libc::_exit(code) }
}

/// Why this program, run again, would be no guardian; none where it would: the constructor is in the executable, not in a
/// library that was loaded into another one.
pub(crate) fn hindrance() -> Option<&'static str> {
    static IN_EXECUTABLE: OnceLock<Option<bool>> = OnceLock::new();
    const IN_LIBRARY: &str = "this crate is in a library that was loaded later";
    if !IS_CAUGHT.load(Ordering::Relaxed) {
        return Some(IN_LIBRARY);
    }
    match IN_EXECUTABLE.get_or_init(is_in_executable) {
        Some(true) => None,
        Some(false) => Some(IN_LIBRARY),
        None => Some("the system does not tell where this crate was loaded from"),
    }
}

#[cfg(target_os = "linux")]
fn is_in_executable() -> Option<bool> {
    crate::proc::is_in_executable(guard_if_asked as fn() as usize)
}

#[cfg(not(target_os = "linux"))]
fn is_in_executable() -> Option<bool> {
    let executable = env::current_exe().ok()?;
    // SAFETY: the address is that of a function, and the information is plain data, filled in on success.
    unsafe {
        let mut found: libc::Dl_info = std::mem::zeroed();
        let function = guard_if_asked as fn() as *const libc::c_void;
        if libc::dladdr(function, &raw mut found) == 0 || found.dli_fname.is_null() {
            return None;
        }
        let file = std::ffi::CStr::from_ptr(found.dli_fname);
        let file = std::path::Path::new(std::ffi::OsStr::from_bytes(file.to_bytes()));
        Some(same(file) == same(&executable))
    }
}

#[cfg(not(target_os = "linux"))]
use std::os::unix::ffi::OsStrExt as _;

#[cfg(not(target_os = "linux"))]
fn same(file: &std::path::Path) -> Option<std::path::PathBuf> {
    file.canonicalize().ok()
}

/// What this process was run as. Called before `main`.
pub(crate) fn first_argument() -> Option<String> {
    arguments().next()
}

/// Before `main`, the standard library knows them only where the system passes them to constructors.
fn arguments() -> impl Iterator<Item = String> {
    #[cfg(all(target_os = "linux", not(target_env = "gnu")))]
    let args = crate::proc::arguments().into_iter();
    #[cfg(not(all(target_os = "linux", not(target_env = "gnu"))))]
    let args = env::args_os().map(|arg| arg.to_string_lossy().into_owned());
    args
}

fn guard(first: Pid, dir: Option<String>) -> io::Result<()> {
    // The link is stdin, and what the server prints is kept in stdout.
    let link = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    link.set_nonblocking(true)?;
    let mut guardian = Guardian {
        first,
        has_first: true,
        link,
        output: File::from(io::stdout().as_fd().try_clone_to_owned()?),
        parent: rustix::process::getppid(),
        is_alone: false,
    };
    // So as not to keep a folder from being unmounted.
    let _ = env::set_current_dir("/");
    let blocked = listen_for_signals();
    guardian.run(&blocked);
    match dir {
        // The test would have removed it, and has ended.
        Some(dir) if guardian.is_alone => fs::remove_dir_all(dir),
        _ => Ok(()),
    }
}

struct Guardian {
    first: Pid,
    /// The first process runs, or its status was not asked for yet.
    has_first: bool,
    link: UnixStream,
    output: File,
    parent: Option<Pid>,
    /// The test has ended, or is about to.
    is_alone: bool,
}

impl Guardian {
    /// How often the size of the output is looked at: at least and at most.
    const LOOK: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(320)];
    /// How long unkillable processes are waited for.
    const DYING: Duration = Duration::from_secs(10);

    /// Returns when nothing of the server is left.
    fn run(&mut self, blocked: &libc::sigset_t) {
        let mut look = Self::LOOK[0];
        let mut size = 0;
        let mut looked = Instant::now();
        while self.reap() {
            let is_orphan = rustix::process::getppid() != self.parent;
            self.is_alone |= is_orphan;
            if is_orphan || !self.obey() {
                self.end(blocked);
                return;
            }
            let left = look.saturating_sub(looked.elapsed());
            if !left.is_zero() {
                wait(true, left, blocked);
                continue;
            }
            looked = Instant::now();
            let grown = output::trim(&self.output);
            look = match grown {
                Some(grown) if grown == size => (look * 2).min(Self::LOOK[1]),
                Some(_) => Self::LOOK[0],
                // It cannot be trimmed.
                None => Duration::from_secs(3600),
            };
            size = grown.unwrap_or_default();
        }
        // The test may have ended with its server.
        self.obey();
    }

    /// Asks those that have ended for their status; false when no child is left.
    fn reap(&mut self) -> bool {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid == self.first && self.has_first => {
                    self.has_first = false;
                    // A test that has ended does not hear it.
                    let _ = self.link.write_all(&link::report(ENDED, status.as_raw()));
                }
                Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }

    /// Does what the test says; false when that is to end.
    fn obey(&mut self) -> bool {
        let mut words = [0; 64 * link::WORD];
        match self.link.read(&mut words) {
            Ok(0) => {
                self.is_alone = true;
                false
            }
            Ok(length) => words[..length].chunks_exact(link::WORD).all(|word| {
                let signal = Signal::from_named_raw(word[1].into());
                match (word[0], signal) {
                    (KILL, _) => return false,
                    (EXIT, _) => self.is_alone = true,
                    (SIGNAL, Some(signal)) if self.has_first => send(signal, [self.first]),
                    (SIGNAL, Some(signal)) => send(signal, Self::children()),
                    (SIGNAL_ALL, Some(signal)) => send(signal, Self::below()),
                    _ => {}
                }
                true
            }),
            Err(error) => matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
            ),
        }
    }

    /// Kills what is below, again and again, for what is being forked meanwhile is not in a list.
    fn end(&mut self, blocked: &libc::sigset_t) {
        let since = Instant::now();
        // Mostly there is no other, and to look for others takes longer than to end it.
        if self.has_first {
            send(Signal::KILL, [self.first]);
            wait(false, Duration::from_millis(1), blocked);
        }
        while self.reap() && since.elapsed() < Self::DYING {
            send(Signal::KILL, Self::below());
            wait(false, Duration::from_millis(5), blocked);
        }
        // Where orphans are not the guardian's children, their group is known at least.
        #[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
        let _ = rustix::process::kill_process_group(self.first, Signal::KILL);
    }

    fn children() -> HashSet<Pid> {
        pids(family::children(std::process::id()))
    }

    fn below() -> HashSet<Pid> {
        pids(family::below(std::process::id()))
    }
}

fn pids(pids: impl IntoIterator<Item = u32>) -> HashSet<Pid> {
    let pid = |pid| Pid::from_raw(i32::try_from(pid).ok()?);
    pids.into_iter().filter_map(pid).collect()
}

fn send(signal: Signal, to: impl IntoIterator<Item = Pid>) {
    for pid in to {
        // It may have ended by itself. Its id stays its own until the guardian, or its own parent, asks for its status.
        let _ = kill_process(pid, signal);
    }
}

/// Has the end of a child and the death signal interrupt a [`wait`], and nothing end this process but SIGKILL. Returns the
/// signals that are kept from it while it waits.
fn listen_for_signals() -> libc::sigset_t {
    extern "C" fn interrupt(_: libc::c_int) {}
    let handler = interrupt as extern "C" fn(libc::c_int) as libc::sighandler_t;
    signals::block_all();
    // SAFETY: the handler does nothing; the set is made by the call before it is read.
    unsafe {
        let mut blocked = MaybeUninit::uninit();
        libc::sigfillset(blocked.as_mut_ptr());
        for signal in [libc::SIGCHLD, libc::SIGHUP] {
            libc::signal(signal, handler);
            libc::sigdelset(blocked.as_mut_ptr(), signal);
        }
        blocked.assume_init()
    }
}

/// Waits for the end of a child, for `limit`, and if it `listens` for a word of the test.
fn wait(listens: bool, limit: Duration, blocked: &libc::sigset_t) {
    let limit = libc::timespec {
        tv_sec: limit.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: limit.subsec_nanos().into(),
    };
    // SAFETY: the set is made before it is read, and descriptor 0 fits in it; the other pointers are to what lives here.
    unsafe {
        let mut readable = MaybeUninit::uninit();
        libc::FD_ZERO(readable.as_mut_ptr());
        if listens {
            libc::FD_SET(0, readable.as_mut_ptr());
        }
        libc::pselect(
            1,
            readable.as_mut_ptr(),
            ptr::null_mut(),
            ptr::null_mut(),
            &raw const limit,
            blocked,
        );
    }
}
