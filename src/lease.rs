//! Leases: live, exclusive use of a port, as a kernel lock on the port's file.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use once_cell::sync::{Lazy, OnceCell};

use crate::error::Error;
use crate::files::{self, Access, FileId};
use crate::holder::Holder;
use crate::lock::Lock;

/// The folder of lease files that belongs to a store: one file a port, made when the port is first used.
#[derive(Debug)]
pub(crate) struct Leases {
    folder: PathBuf,
    /// Set when the folder was first seen, and was fit to be used.
    checked: OnceCell<()>,
}

/// Which thread of this process took which lease.
///
/// Only asked after a lease was found to be held: whether it is this very thread that waits for itself.
static TAKEN: Lazy<Mutex<HashMap<FileId, ThreadId>>> = Lazy::new(Mutex::default);

fn taken() -> MutexGuard<'static, HashMap<FileId, ThreadId>> {
    // The map is whole after every step, so a panic elsewhere does not make it wrong.
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Leases {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            checked: OnceCell::new(),
        }
    }

    pub(crate) fn path(&self, port: u16) -> PathBuf {
        self.folder.join(format!("{port}.lock"))
    }

    /// Takes the lease of `port`; none when somebody has it.
    ///
    /// # Errors
    ///
    /// When its file cannot be made, opened or locked, or is not to be trusted.
    pub(crate) fn try_take(&self, port: u16, access: Access) -> Result<Option<Lease>, Error> {
        self.check_folder()?;
        let Some(lock) = Lock::try_take(&self.path(port), access)? else {
            return Ok(None);
        };
        if !lock.is_new() {
            lock.note()?;
        }
        taken().insert(lock.id().clone(), thread::current().id());
        Ok(Some(Lease { lock: Some(lock) }))
    }

    /// Who holds the lease of `port` at this moment; none when nobody does.
    ///
    /// # Errors
    ///
    /// When its file is there and cannot be opened or locked, or is not to be trusted.
    pub(crate) fn holder(&self, port: u16, access: Access) -> Result<Option<Holder>, Error> {
        self.check_folder()?;
        Lock::holder(&self.path(port), access)
    }

    /// Refuses a folder that is somebody else's, who could have put it there where many may write, as into `/tmp`.
    fn check_folder(&self) -> Result<(), Error> {
        if self.checked.get().is_none() && files::access(&self.folder)?.is_some() {
            self.checked.get_or_init(|| ());
        }
        Ok(())
    }

    /// Whether the thread that asks is the one that holds the lease of `port`.
    pub(crate) fn is_held_by_this_thread(&self, port: u16) -> bool {
        let path = self.path(port);
        let Ok(found) = std::fs::symlink_metadata(&path) else {
            return false;
        };
        let id = FileId::new(&found, &path);
        taken().get(&id) == Some(&thread::current().id())
    }
}

/// Live, exclusive use of a port.
#[derive(Debug)]
pub(crate) struct Lease {
    /// Present until the lease is given up.
    lock: Option<Lock>,
}

impl Lease {
    /// Whether the lease's file is no proof that nobody else has the port: it was not there, or nobody has held the port
    /// by it yet. Somebody may still hold it by a file that was deleted meanwhile, as cleaners of `/tmp` do.
    pub(crate) fn is_new(&self) -> bool {
        self.lock.as_ref().is_some_and(Lock::is_new)
    }

    /// Makes the file of a [new](Self::is_new) lease a proof, once the port was found to be nobody's and is held.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub(crate) fn settle(&self) -> Result<(), Error> {
        match &self.lock {
            Some(lock) if lock.is_new() => lock.note(),
            _ => Ok(()),
        }
    }

    /// Gives the lease up. Once it is, there is nothing more to do.
    pub(crate) fn release(&mut self) -> Result<(), Error> {
        self.forget().map_or(Ok(()), Lock::release)
    }

    /// Gives the lease up and removes its file, whose port is nobody's any more. The caller holds the store's lock.
    pub(crate) fn remove(mut self) -> Result<(), Error> {
        self.forget().map_or(Ok(()), Lock::remove)
    }

    /// Whether this process took the lease, and not the parent that it was forked from.
    pub(crate) fn is_ours(&self) -> bool {
        self.lock.as_ref().is_some_and(Lock::is_ours)
    }

    fn forget(&mut self) -> Option<Lock> {
        let lock = self.lock.take()?;
        // In a forked child the map's mutex may be locked for ever by a thread that was not forked along.
        if lock.is_ours() {
            taken().remove(lock.id());
        }
        Some(lock)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // The lock unlocks and closes by its own drop.
        drop(self.forget());
    }
}
