//! Who in this process took which lease.
//!
//! Only asked after a lease was found to be held: whether it is the asker that waits for itself.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use crate::files::FileId;

static TAKEN: Mutex<Vec<(FileId, Taker)>> = Mutex::new(Vec::new());

/// The task, where there is one: a runtime runs many on one thread, and one on many threads.
#[derive(Debug, PartialEq, Eq)]
enum Taker {
    Thread(ThreadId),
    #[cfg(feature = "tokio")]
    Task(tokio::task::Id),
}

impl Taker {
    fn current() -> Self {
        #[cfg(feature = "tokio")]
        if let Some(task) = tokio::task::try_id() {
            return Self::Task(task);
        }
        Self::Thread(thread::current().id())
    }
}

fn taken() -> MutexGuard<'static, Vec<(FileId, Taker)>> {
    // The list is whole after every step, so a panic elsewhere does not make it wrong.
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn add(lease: FileId) {
    taken().push((lease, Taker::current()));
}

pub(super) fn remove(lease: &FileId) {
    let mut taken = taken();
    // Looked for from the end: what was taken last is mostly given up first.
    if let Some(at) = taken.iter().rposition(|(id, _)| id == lease) {
        taken.swap_remove(at);
    }
}

/// Whether the thread or task that asks took the lease.
pub(super) fn is_the_asker(lease: FileId) -> bool {
    taken().contains(&(lease, Taker::current()))
}
