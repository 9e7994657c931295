//! Listeners that outlive their guards, because a test has left a thread or task behind.
//!
//! The next guard of the port in this process would wait in vain, and reports whose listener it is. The system's number for a
//! socket tells a listener from a later one on the same port.

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
