//! The sockets that this process was started with.

use std::mem;
use std::net::TcpListener;

use super::protocol::fd_name;
use super::sys;

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
/// assert!(port_for::inherited("api").is_none()); // this example was started without a socket
/// ```
#[must_use]
pub fn inherited(name: &str) -> Option<TcpListener> {
    take_all(&[name])?.keep().pop()
}

/// The port of the socket named `name` that this process was started with, if that was not taken yet.
pub(crate) fn inherited_port(name: &str) -> Option<u16> {
    // Asked for every guard, and hardly any process was started with sockets.
    if sys::is_empty() {
        return None;
    }
    sys::port(&fd_name(name))
}

/// The sockets with these names, taken to be adopted; none unless all of them are there.
pub(crate) fn take_all(names: &[&str]) -> Option<Adopted> {
    let names: Vec<_> = names.iter().map(|name| fd_name(name)).collect();
    sys::take_all(&names).map(Adopted)
}

/// The sockets that were not taken, with their names in `LISTEN_FDNAMES`.
#[cfg(all(unix, feature = "cli"))]
pub(crate) fn take_rest() -> Vec<(String, std::os::fd::OwnedFd)> {
    let rest = sys::take_rest().into_iter();
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
            sys::give_back(mem::take(&mut self.0));
        }
    }
}
