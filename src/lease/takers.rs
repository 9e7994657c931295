//! Who in this process took which lease.
//!
//! Only asked after a lease was found to be held: whether the asker waits for itself. That is certain for a lease that
//! stays where it was taken: one that the attribute lends to a test, or that is kept for it. Other guards may be moved to
//! another thread, which drops them while the asker waits.

use std::process;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use crate::files::FileId;

static TAKEN: Mutex<Vec<Taken>> = Mutex::new(Vec::new());

#[derive(Debug)]
struct Taken {
    lease: FileId,
    taker: Taker,
    stays: bool,
}

/// The task, where there is one: a runtime runs many on one thread, and one on many threads. Of a forked child, nothing in
/// the list is its own.
#[derive(Debug, PartialEq, Eq)]
struct Taker {
    process: u32,
    thread: ThreadId,
    #[cfg(feature = "tokio")]
    task: Option<tokio::task::Id>,
}

impl Taker {
    fn current() -> Self {
        #[cfg(feature = "tokio")]
        let task = tokio::task::try_id();
        Self {
            process: process::id(),
            thread: thread::current().id(),
            #[cfg(feature = "tokio")]
            task,
        }
    }

    #[cfg(feature = "tokio")]
    fn is(&self, other: &Self) -> bool {
        let same = match (self.task, other.task) {
            (None, None) => self.thread == other.thread,
            (one, another) => one == another,
        };
        same && self.process == other.process
    }

    #[cfg(not(feature = "tokio"))]
    fn is(&self, other: &Self) -> bool {
        self == other
    }
}

/// What an asker has to do with the lease that it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    /// It took it, and the lease stays with it: the wait would never end.
    KeepsIt,
    /// It took it, and may have given it away.
    TookIt,
    Other,
}

fn taken() -> MutexGuard<'static, Vec<Taken>> {
    // The list is whole after every step, so a panic elsewhere does not make it wrong.
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn add(lease: FileId) {
    taken().push(Taken {
        lease,
        taker: Taker::current(),
        stays: false,
    });
}

pub(super) fn remove(lease: &FileId) {
    let mut taken = taken();
    // Looked for from the end: what was taken last is mostly given up first.
    if let Some(at) = taken.iter().rposition(|taken| taken.lease == *lease) {
        taken.swap_remove(at);
    }
}

/// The lease stays with its taker.
pub(super) fn keep(lease: &FileId) {
    if let Some(taken) = taken().iter_mut().rfind(|taken| taken.lease == *lease) {
        taken.stays = true;
    }
}

pub(super) fn asker_of(lease: &FileId) -> Asker {
    let asker = Taker::current();
    let taken = taken();
    let its = (taken.iter()).find(|taken| taken.lease == *lease && taken.taker.is(&asker));
    match its {
        Some(Taken { stays: true, .. }) => Asker::KeepsIt,
        Some(_) => Asker::TookIt,
        None => Asker::Other,
    }
}
