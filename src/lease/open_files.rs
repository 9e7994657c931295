//! Lease files that stay open between uses.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::lock::LockFile;

/// Files of leases that were given up, still open: to open one costs more than to lock it.
///
/// A process that is forked meanwhile and runs no program has them open too. Should its parent take one of the leases
/// again and be killed, the lease lasts for as long as that fork.
#[derive(Debug, Default)]
pub(super) struct OpenFiles(Mutex<Vec<(u16, LockFile)>>);

impl OpenFiles {
    /// So many at most: a process may have 256 files open on some systems. On Windows open files are in the way of
    /// a process that removes their folder.
    const MOST: usize = if cfg!(unix) { 16 } else { 0 };

    pub(super) fn take(&self, port: u16) -> Option<LockFile> {
        let mut files = self.files();
        let at = files.iter().position(|&(other, _)| other == port)?;
        let (_, file) = files.remove(at);
        file.is_ours().then_some(file)
    }

    pub(super) fn keep(&self, port: u16, file: LockFile) {
        let mut files = self.files();
        files.push((port, file));
        if files.len() > Self::MOST {
            files.remove(0);
        }
    }

    pub(super) fn files(&self) -> MutexGuard<'_, Vec<(u16, LockFile)>> {
        // The list is whole after every step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
