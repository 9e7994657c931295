//! Before `main` and after it: sockets that this process was started with, and servers that are left at its end.

// A function that runs before `main` is declared by unsafe means, and so is one that runs after it.
#![cfg_attr(unix, allow(unsafe_code))]

use std::mem;
use std::net::TcpListener;

use crate::server::Family;

/// The listening socket named `name` that this process was started with, by systemd, `systemfd`, or
/// [`PortGuard::spawn_activated`](crate::PortGuard::spawn_activated). None if there is none, or it was taken before, by
/// this function or by a [`guard`](crate::PortFor::guard) whose id is the name.
///
/// Such sockets come as descriptors from 3 on, described by `LISTEN_FDS`, `LISTEN_FDNAMES` and `LISTEN_PID`. They are
/// taken over before `main`: the variables are removed, and children of this process do not inherit the sockets. A
/// socket without a name is called `unknown`. What is meant for another process (its `LISTEN_PID`) is left alone. On
/// Windows there are none.
///
/// ```
/// assert!(port_for::inherited("api").is_none()); // nobody has started this example with a socket
/// ```
#[must_use]
pub fn inherited(name: &str) -> Option<TcpListener> {
    take_all(&[name])?.keep().pop()
}

/// The port of the socket named `name` that this process was started with, if that was not taken yet.
pub(crate) fn inherited_port(name: &str) -> Option<u16> {
    // Asked for every guard, and hardly any process was started with sockets.
    if system::is_empty() {
        return None;
    }
    system::port(&fd_name(name))
}

/// The sockets with these names, taken to be adopted; none unless all of them are there.
pub(crate) fn take_all(names: &[&str]) -> Option<Adopted> {
    let names: Vec<_> = names.iter().map(|name| fd_name(name)).collect();
    system::take_all(&names).map(Adopted)
}

/// The sockets that nobody has taken, with their names in `LISTEN_FDNAMES`.
#[cfg(all(unix, feature = "cli"))]
pub(crate) fn take_rest() -> Vec<(String, std::os::fd::OwnedFd)> {
    let rest = system::take_rest().into_iter();
    rest.map(|(name, listener)| (name, listener.into()))
        .collect()
}

/// Sockets that this process was started with, with their names. A drop gives them back.
#[derive(Debug)]
pub(crate) struct Adopted(Vec<(String, TcpListener)>);

impl Adopted {
    pub(crate) fn listeners(&self) -> impl Iterator<Item = &TcpListener> {
        self.0.iter().map(|(_, listener)| listener)
    }

    pub(crate) fn keep(mut self) -> Vec<TcpListener> {
        let sockets = mem::take(&mut self.0).into_iter();
        sockets.map(|(_, listener)| listener).collect()
    }
}

impl Drop for Adopted {
    fn drop(&mut self) {
        if !self.0.is_empty() {
            system::give_back(mem::take(&mut self.0));
        }
    }
}

/// Has the server killed when this process exits, unless it is [forgotten](forget) before.
pub(crate) fn stop_at_exit(server: Family) {
    system::stop_at_exit(server);
}

/// The server has been ended.
pub(crate) fn forget(server: Family) {
    system::forget(server);
}

/// A socket's name in `LISTEN_FDNAMES`, where names are parted by colons: the id, with two characters written as they
/// are in a URL.
pub(crate) fn fd_name(id: &str) -> String {
    id.replace('%', "%25").replace(':', "%3A")
}

#[cfg(unix)]
mod system {
    use std::env;
    use std::fs;
    use std::net::TcpListener;
    use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
    use std::process;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::{Mutex, MutexGuard, Once, PoisonError};

    use rustix::io::FdFlags;

    use crate::config;
    use crate::server::Family;
    use crate::socket;

    /// The sockets that this process was started with and that nobody has taken.
    static SOCKETS: Mutex<Vec<(String, TcpListener)>> = Mutex::new(Vec::new());
    /// The servers that run.
    static SERVERS: Mutex<Vec<Family>> = Mutex::new(Vec::new());
    /// The process whose servers they are, and not one that was forked from it. 0 while there are none.
    static OWNER: AtomicU32 = AtomicU32::new(0);

    const FIRST_FD: RawFd = 3;

    ctor::declarative::ctor! {
        // SAFETY: it reads and changes the environment, looks into `/proc` and at descriptors, and fills a list, for all
        // of which Rust's standard library is ready before `main`; it does not panic.
        #[ctor(unsafe)]
        fn take_sockets_over() {
            let Some(names) = config::listen_names() else {
                return;
            };
            if !is_single_threaded() {
                return;
            }
            let mut sockets = lock(&SOCKETS);
            for (fd, name) in (FIRST_FD..).zip(names) {
                sockets.extend(adopt(fd).map(|socket| (name, socket)));
            }
            // They are taken, and not for children.
            for variable in config::LISTEN_VARIABLES {
                // SAFETY: there is one thread, and it is here.
                unsafe { env::remove_var(variable) };
            }
        }
    }

    /// A library that is loaded later is started among threads, which may read the environment.
    fn is_single_threaded() -> bool {
        fs::read_dir("/proc/self/task").map_or(true, |threads| threads.count() == 1)
    }

    /// The descriptor, if it is that of a listening socket.
    fn adopt(fd: RawFd) -> Option<TcpListener> {
        // SAFETY: the borrow ends before the descriptor could be closed. If it is not open, that is what it tells.
        let flags = rustix::io::fcntl_getfd(unsafe { BorrowedFd::borrow_raw(fd) }).ok()?;
        // SAFETY: it is open, and was handed to this process for its own by whoever started it. Nothing has run yet
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
    pub(super) fn take_all(names: &[String]) -> Option<Vec<(String, TcpListener)>> {
        let mut sockets = lock(&SOCKETS);
        let is_there = |name| sockets.iter().any(|(its, _)| its == name);
        if !names.iter().all(is_there) {
            return None;
        }
        let mut take = |name| {
            let at = sockets.iter().position(|(its, _)| its == name)?;
            Some(sockets.remove(at))
        };
        Some(names.iter().filter_map(&mut take).collect())
    }

    #[cfg(feature = "cli")]
    pub(super) fn take_rest() -> Vec<(String, TcpListener)> {
        std::mem::take(&mut *lock(&SOCKETS))
    }

    pub(super) fn give_back(sockets: Vec<(String, TcpListener)>) {
        lock(&SOCKETS).extend(sockets);
    }

    pub(super) fn is_empty() -> bool {
        lock(&SOCKETS).is_empty()
    }

    pub(super) fn port(name: &str) -> Option<u16> {
        let sockets = lock(&SOCKETS);
        let (_, socket) = sockets.iter().find(|(its, _)| its == name)?;
        Some(socket.local_addr().ok()?.port())
    }

    pub(super) fn stop_at_exit(server: Family) {
        static REGISTERED: Once = Once::new();
        REGISTERED.call_once(|| {
            // SAFETY: a function without arguments that does not unwind.
            let refused = unsafe { libc::atexit(stop_all) };
            // Then the guardian and the death signal do it.
            debug_assert_eq!(refused, 0);
        });
        let mut servers = lock(&SERVERS);
        if OWNER.swap(process::id(), Ordering::Relaxed) != process::id() {
            servers.clear();
        }
        servers.push(server);
    }

    pub(super) fn forget(server: Family) {
        lock(&SERVERS).retain(|other| *other != server);
    }

    extern "C" fn stop_all() {
        // In a forked child the list is its parent's, and perhaps locked for ever.
        if OWNER.load(Ordering::Relaxed) == process::id() {
            // Locked for as long as it takes: who ends a server at this moment waits, and finds it dead.
            for server in lock(&SERVERS).drain(..) {
                server.kill();
            }
        }
    }

    fn lock<T>(list: &Mutex<T>) -> MutexGuard<'_, T> {
        // Lists are whole after every step.
        list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(not(unix))]
mod system {
    use std::net::TcpListener;

    use crate::server::Family;

    pub(super) fn take_all(_names: &[String]) -> Option<Vec<(String, TcpListener)>> {
        None
    }

    pub(super) fn give_back(_sockets: Vec<(String, TcpListener)>) {}

    pub(super) fn is_empty() -> bool {
        true
    }

    pub(super) fn port(_name: &str) -> Option<u16> {
        None
    }

    /// The system does it, when the last handle of the server's job is closed.
    pub(super) fn stop_at_exit(_server: Family) {}

    pub(super) fn forget(_server: Family) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_name_and_only_colons_and_percent_signs_change() {
        assert_eq!(fd_name("example.com/api"), "example.com/api");
        assert_eq!(fd_name("a::b"), "a%3A%3Ab");
        assert_ne!(fd_name("a%3Ab"), fd_name("a:b"));
    }
}
