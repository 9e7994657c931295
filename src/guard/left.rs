//! Listeners that were taken from guards, and may still listen when their guard is gone: those of a thread or task that a
//! test has left behind.
//!
//! The next holder of the port in this process would wait for it in vain. A listener is told from a later one by the number
//! that the system gives it.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::who;

static LEFT: Mutex<Vec<Left>> = Mutex::new(Vec::new());

#[derive(Debug)]
struct Left {
    addr: SocketAddr,
    listener: u64,
    test: String,
}

fn left() -> MutexGuard<'static, Vec<Left>> {
    // The list is whole after every step.
    LEFT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The guard of this address goes, and this listener was taken from it by this thread's test.
pub(super) fn note(addr: SocketAddr, listener: u64) {
    let test = thread::current().name().unwrap_or("unknown").to_owned();
    let mut left = left();
    left.retain(|left| left.addr != addr);
    left.push(Left {
        addr,
        listener,
        test,
    });
}

/// The test that took a listener from a guard that is gone, if it still listens at this address.
pub(crate) fn left_by(addr: SocketAddr) -> Option<String> {
    let left = left();
    let left = left.iter().find(|left| left.addr == addr)?;
    who::listens(addr, left.listener).then(|| left.test.clone())
}
