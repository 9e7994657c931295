//! The sockets, kept in a list from before `main` until they are taken.

// A variable is removed, and a descriptor taken by its number.
#![allow(unsafe_code)]

use std::env;
use std::net::TcpListener;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::io::FdFlags;

use crate::config;
use crate::handover::protocol::{FD_NAMES, FDS, FIRST_FD, PID};
use crate::socket;

/// The sockets that this process was started with and that were not taken yet, with their names.
static SOCKETS: Mutex<Vec<(String, TcpListener)>> = Mutex::new(Vec::new());

/// Takes over the sockets that this process was started with. Called before `main`; does not panic.
pub(crate) fn take_over() {
    let Some(names) = announced() else {
        return;
    };
    if !is_single_threaded() {
        return;
    }
    let mut all = sockets();
    for (fd, name) in (FIRST_FD..).zip(names) {
        all.extend(adopt(fd).map(|socket| (name, socket)));
    }
    // They are taken, and not for children.
    for variable in [FDS, FD_NAMES, PID] {
        // SAFETY: there is one thread, and it is here.
        unsafe { env::remove_var(variable) };
    }
}

/// The names of the sockets that this process was started with; none when it was started with none.
///
/// Before `main` an error cannot be reported: what makes no sense is left to the program that it is for.
fn announced() -> Option<Vec<String>> {
    let count = config::variable(FDS)?;
    let process = std::process::id().to_string();
    named(
        &count,
        config::variable(FD_NAMES),
        config::variable(PID),
        &process,
    )
}

fn named(
    count: &str,
    names: Option<String>,
    meant_for: Option<String>,
    process: &str,
) -> Option<Vec<String>> {
    // Some that pass sockets on through other programs cannot know who will have them, and do not say.
    if meant_for.is_some_and(|meant_for| meant_for != process) {
        return None;
    }
    let count: u8 = count.parse().ok().filter(|&count| count > 0)?;
    let names = names.unwrap_or_default();
    let mut names = names.split(':');
    let name = |_| match names.next() {
        None | Some("") => "unknown".to_owned(),
        Some(name) => name.to_owned(),
    };
    Some((0..count).map(name).collect())
}

/// A library that is loaded later is started among threads, which may read the environment.
fn is_single_threaded() -> bool {
    #[cfg(target_os = "linux")]
    return crate::proc::threads().is_none_or(|threads| threads == 1);
    #[cfg(not(target_os = "linux"))]
    true
}

/// The descriptor, if it is that of a listening socket.
fn adopt(fd: RawFd) -> Option<TcpListener> {
    // SAFETY: the borrow ends before the descriptor could be closed. If it is not open, that is what it tells.
    let flags = rustix::io::fcntl_getfd(unsafe { BorrowedFd::borrow_raw(fd) }).ok()?;
    // SAFETY: it is open, and was given to this process by its starter. Nothing has run yet
    // that could own it.
    let owned = unsafe { OwnedFd::from_raw_fd(fd) };
    match socket::as_listener(owned) {
        Ok(listener) => {
            // Should it fail, children inherit the socket, as they do without us.
            let _ = rustix::io::fcntl_setfd(&listener, flags | FdFlags::CLOEXEC);
            Some(listener)
        }
        Err(other) => {
            // Not ours to close.
            std::mem::forget(other);
            None
        }
    }
}

/// In the order of the names.
pub(crate) fn take_all(names: &[String]) -> Option<Vec<(String, TcpListener)>> {
    let mut all = sockets();
    let is_there = |name| all.iter().any(|(its, _)| its == name);
    if !names.iter().all(is_there) {
        return None;
    }
    let mut take = |name| {
        let at = all.iter().position(|(its, _)| its == name)?;
        Some(all.remove(at))
    };
    Some(names.iter().filter_map(&mut take).collect())
}

#[cfg(feature = "cli")]
pub(crate) fn take_rest() -> Vec<(String, TcpListener)> {
    std::mem::take(&mut *sockets())
}

pub(crate) fn give_back(unused: Vec<(String, TcpListener)>) {
    sockets().extend(unused);
}

pub(crate) fn is_empty() -> bool {
    sockets().is_empty()
}

pub(crate) fn port(name: &str) -> Option<u16> {
    let all = sockets();
    let (_, socket) = all.iter().find(|(its, _)| its == name)?;
    Some(socket.local_addr().ok()?.port())
}

fn sockets() -> MutexGuard<'static, Vec<(String, TcpListener)>> {
    // The list is whole after every step.
    SOCKETS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_ours_unless_another_process_is_named() {
        let named = |count: &str, names: Option<&str>, pid: Option<&str>| {
            named(
                count,
                names.map(str::to_owned),
                pid.map(str::to_owned),
                "42",
            )
        };
        let sockets = |names: &[&str]| Some(names.iter().map(ToString::to_string).collect());
        assert_eq!(named("2", Some("a:b"), Some("42")), sockets(&["a", "b"]));
        assert_eq!(named("1", Some("a"), None), sockets(&["a"]));
        assert_eq!(named("2", None, None), sockets(&["unknown", "unknown"]));
        assert_eq!(named("2", Some("a"), None), sockets(&["a", "unknown"]));
        assert_eq!(named("2", Some(":b"), None), sockets(&["unknown", "b"]));
        assert_eq!(named("1", Some("a"), Some("41")), None);
        for count in ["", "0", "-1", "many", "1000"] {
            assert_eq!(named(count, None, None), None, "{count}");
        }
    }
}
