//! The servers that run, and their end when this process exits.

// A function that runs after `main` is declared by unsafe means.
#![allow(unsafe_code)]

use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use super::tie::Tie;

static SERVERS: Mutex<Vec<Tie>> = Mutex::new(Vec::new());
/// The process whose servers they are, and not one that was forked from it. 0 while there are none.
static OWNER: AtomicU32 = AtomicU32::new(0);

/// Has the server killed when this process exits, unless it is [removed](remove) before.
pub(super) fn add(server: Tie) {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        // SAFETY: a function without arguments that does not unwind.
        let refused = unsafe { libc::atexit(kill_all) };
        // Then the guardian and the death signal do it.
        debug_assert_eq!(refused, 0);
    });
    let mut running = servers();
    if OWNER.swap(process::id(), Ordering::Relaxed) != process::id() {
        running.clear();
    }
    running.push(server);
}

/// The server is being ended.
pub(super) fn remove(server: &Tie) {
    servers().retain(|other| !other.is(server));
}

extern "C" fn kill_all() {
    // In a forked child the list is its parent's, and perhaps locked for ever.
    if OWNER.load(Ordering::Relaxed) == process::id() {
        // Locked for as long as it takes: who ends a server at this moment waits, and finds it dead.
        for server in servers().drain(..) {
            server.kill();
        }
    }
}

fn servers() -> MutexGuard<'static, Vec<Tie>> {
    // The list is whole after every step.
    SERVERS.lock().unwrap_or_else(PoisonError::into_inner)
}
