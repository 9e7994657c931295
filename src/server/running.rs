//! The servers of this process, for who waits for a port that one of them keeps.

use std::sync::{Mutex, MutexGuard, PoisonError, Weak};

use crate::guard::{Hold, HoldOfServer};

#[derive(Debug)]
struct Running {
    port: u16,
    pid: u32,
    /// Its command and process, for messages.
    shown: String,
    hold: Weak<Mutex<Hold>>,
}

static RUNNING: Mutex<Vec<Running>> = Mutex::new(Vec::new());

fn running() -> MutexGuard<'static, Vec<Running>> {
    // The list is whole after every step.
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn add(port: u16, pid: u32, shown: String, hold: &HoldOfServer) {
    running().push(Running {
        port,
        pid,
        shown,
        hold: hold.downgrade(),
    });
}

pub(super) fn remove(port: u16, pid: u32) {
    running().retain(|server| (server.port, server.pid) != (port, pid));
}

/// The server that keeps the lease of the port, whose guard is gone.
pub(crate) fn left_on(port: u16) -> Option<String> {
    let running = running();
    let mut on_port = running.iter().filter(|server| server.port == port);
    let left = on_port.find(|server| server.hold.strong_count() == 0)?;
    Some(left.shown.clone())
}
