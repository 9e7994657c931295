//! Leases: live, exclusive use of a port, as a kernel lock on the port's file.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use once_cell::sync::OnceCell;

use crate::error::Error;
use crate::files::{self, Access, FileId};
use crate::who::Holder;

mod lock;
mod open_files;
pub(crate) mod record;
mod takers;

pub(crate) use lock::Lock;
use lock::{LockFile, Tried};
use open_files::OpenFiles;
pub(crate) use takers::Asker;

/// The folder of lease files that belongs to a store: one file a port, made when the port is first used.
#[derive(Debug)]
pub(crate) struct Leases {
    folder: PathBuf,
    /// Set when the folder was first seen, and was fit to be used.
    checked: OnceCell<()>,
    open: Arc<OpenFiles>,
}

/// How exactly uses without a lease are noted: to look whether that was done lately costs a fraction of doing it.
const PRECISION: Duration = Duration::from_secs(60);

impl Leases {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            checked: OnceCell::new(),
            open: Arc::default(),
        }
    }

    pub(crate) fn path(&self, port: u16) -> PathBuf {
        self.folder.join(format!("{port}.lock"))
    }

    /// Takes the lease of `port`, for the id with this key if there is one; none when another holder has it.
    ///
    /// # Errors
    ///
    /// When its file cannot be made, opened or locked, or is not to be trusted.
    pub(crate) fn try_take(
        &self,
        port: u16,
        key: Option<&str>,
        access: Access,
    ) -> Result<Option<Lease>, Error> {
        let lease = self.try_take_unused(port, access)?;
        if let Some(lock) = lease.as_ref().and_then(|lease| lease.lock.as_ref()) {
            lock.write_record(key)?;
        }
        Ok(lease)
    }

    /// Takes the lease as [`try_take`](Self::try_take) does, unless a waiter has left its mark: it was here first.
    ///
    /// # Errors
    ///
    /// As [`try_take`](Self::try_take).
    pub(crate) fn try_take_as_newcomer(
        &self,
        port: u16,
        key: Option<&str>,
        access: Access,
    ) -> Result<Newcomer, Error> {
        let Some(lease) = self.try_take_unused(port, access)? else {
            return Ok(Newcomer::Held);
        };
        if let Some(lock) = &lease.lock {
            if lock.is_marked() {
                return Ok(Newcomer::NotFirst);
            }
            lock.write_record(key)?;
        }
        Ok(Newcomer::Taken(lease))
    }

    /// Leaves a waiter's mark on the lease of `port`, for [newcomers](Self::try_take_as_newcomer) to see. The next holder's
    /// record removes it; the mark of a waiter that is gone costs the next newcomer a moment, once.
    ///
    /// # Errors
    ///
    /// When its file cannot be looked at, opened or extended.
    pub(crate) fn wait_for(&self, port: u16, access: Access) -> Result<(), Error> {
        Lock::mark(&self.path(port), access)
    }

    /// As [`try_take`](Self::try_take), but not to use the port: its last use stays on record.
    ///
    /// # Errors
    ///
    /// As [`try_take`](Self::try_take).
    pub(crate) fn try_take_unused(
        &self,
        port: u16,
        access: Access,
    ) -> Result<Option<Lease>, Error> {
        self.check_folder()?;
        let open = self.open.take(port).map(LockFile::try_lock).transpose()?;
        let lock = match open {
            Some(Tried::Taken(lock)) => Some(lock),
            Some(Tried::Held) => None,
            Some(Tried::Gone) | None => Lock::try_take(&self.path(port), access)?,
        };
        let Some(lock) = lock else {
            return Ok(None);
        };
        takers::add(lock.id().clone());
        Ok(Some(Lease {
            port,
            lock: Some(lock),
            open: Arc::clone(&self.open),
        }))
    }

    /// The holder of the lease of `port` at this moment, if there is one.
    ///
    /// # Errors
    ///
    /// When its file is there and cannot be opened or locked, or is not to be trusted.
    pub(crate) fn holder(&self, port: u16, access: Access) -> Result<Option<Holder>, Error> {
        self.check_folder()?;
        Lock::holder(&self.path(port), access)
    }

    /// When the port was last taken, or asked for by its number; none when there is no record of it.
    ///
    /// # Errors
    ///
    /// When its file cannot be looked at.
    pub(crate) fn last_used(&self, port: u16) -> Result<Option<SystemTime>, Error> {
        let path = self.path(port);
        let modified = fs::symlink_metadata(&path).and_then(|found| found.modified());
        match modified {
            Ok(modified) => Ok(Some(modified)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(files::failed("look at the lock file", &path, error)),
        }
    }

    /// Puts on record that the port is used now, by a caller that does not take its lease.
    ///
    /// # Errors
    ///
    /// When its file cannot be made or opened, or is not to be trusted.
    pub(crate) fn record_use(&self, port: u16, access: Access) -> Result<(), Error> {
        self.check_folder()?;
        let last = self.last_used(port)?;
        if last.is_some_and(|last| last.elapsed().is_ok_and(|ago| ago < PRECISION)) {
            return Ok(());
        }
        let path = self.path(port);
        // Should the file be removed at this very moment, then the assignment is forgotten, and with it its last use.
        let (file, _) = files::open_lock(&path, access)?;
        files::touch(&file).map_err(|error| files::failed("note the use in", &path, error))
    }

    /// The ports that there are files of, whether an id has them or not.
    ///
    /// # Errors
    ///
    /// When the folder is there and cannot be read.
    pub(crate) fn ports(&self) -> Result<Vec<u16>, Error> {
        let failed = |error| files::failed("read the folder", &self.folder, error);
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut ports = Vec::new();
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".lock"));
            // Of other files in the folder we know nothing.
            ports.extend(number.and_then(|number| number.parse::<u16>().ok()));
        }
        Ok(ports)
    }

    /// Refuses a folder of another user, who could have put it where many may write, as into `/tmp`.
    fn check_folder(&self) -> Result<(), Error> {
        if self.checked.get().is_none() && files::access(&self.folder)?.is_some() {
            self.checked.get_or_init(|| ());
        }
        Ok(())
    }

    /// What the thread or task that asks has to do with the lease of `port`.
    pub(crate) fn asker(&self, port: u16) -> Asker {
        let path = self.path(port);
        match fs::symlink_metadata(&path) {
            Ok(found) => takers::asker_of(&FileId::new(&found, &path)),
            Err(_) => Asker::Other,
        }
    }
}

/// What comes of a first look at a lease.
#[derive(Debug)]
pub(crate) enum Newcomer {
    Taken(Lease),
    /// Another holder has it.
    Held,
    /// It is free, and others wait for it.
    NotFirst,
}

/// Live, exclusive use of a port.
#[derive(Debug)]
pub(crate) struct Lease {
    port: u16,
    /// Present until the lease is given up.
    lock: Option<Lock>,
    /// Where its file goes then.
    open: Arc<OpenFiles>,
}

impl Lease {
    /// Gives the lease up, if it [is ours](Self::is_ours). Once it is, there is nothing more to do.
    pub(crate) fn release(&mut self) -> Result<(), Error> {
        if let Some(lock) = self.forget() {
            self.open.keep(self.port, lock.release()?);
        }
        Ok(())
    }

    /// Gives the lease up and removes its file: no id has the port any more. The caller holds the store's lock.
    pub(crate) fn remove(mut self) -> Result<(), Error> {
        self.forget().map_or(Ok(()), Lock::remove)
    }

    /// Whether this process took the lease, and not the parent that it was forked from.
    pub(crate) fn is_ours(&self) -> bool {
        self.lock.as_ref().is_some_and(Lock::is_ours)
    }

    /// Puts on record what the holder waits for, or that it does not any more.
    ///
    /// # Errors
    ///
    /// When the record cannot be written.
    pub(crate) fn waits_for(&self, key: Option<&str>, what: Option<&str>) -> Result<(), Error> {
        let lock = self.lock.as_ref();
        lock.map_or(Ok(()), |lock| lock.write_waits_for(key, what))
    }

    /// The thread or task that took it keeps it: to wait for it there would never end.
    pub(crate) fn stays(&self) {
        if let Some(lock) = &self.lock {
            takers::keep(lock.id());
        }
    }

    /// The lock, for a program that keeps it in this process's place. Not after a release.
    #[cfg(all(unix, feature = "cli"))]
    pub(crate) fn lock(&self) -> &Lock {
        self.lock.as_ref().expect("a lease in use has its lock")
    }

    /// The lock, to end it; none when it has ended.
    fn forget(&mut self) -> Option<Lock> {
        let lock = self.lock.take()?;
        takers::remove(lock.id());
        Some(lock)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // A forked child only closes its copy of the lock; and the list's mutex may be locked there for ever, by a thread
        // that was not forked along.
        if self.is_ours() {
            // A drop cannot report it, and the lock was closed at least.
            let _ = self.release();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_that_are_not_there_are_no_error_and_what_cannot_be_looked_at_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let leases = Leases::new(folder.path().join("leases"));
        assert_eq!(leases.last_used(21800).unwrap(), None);
        assert!(leases.ports().unwrap().is_empty());
        // Windows tells no file below a file from no file.
        if cfg!(unix) {
            fs::write(folder.path().join("leases"), "").unwrap();
            leases.last_used(21800).unwrap_err();
            leases.ports().unwrap_err();
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_files_of_the_leases_used_last_stay_open() {
        let folder = tempfile::tempdir().unwrap();
        let access = files::access(folder.path()).unwrap().unwrap();
        let leases = Leases::new(folder.path().join("leases"));
        let first = 21800;
        for port in first..=first + 16 {
            drop(leases.try_take(port, None, access).unwrap().unwrap());
        }
        let is_open = |port| leases.open.files().iter().any(|&(other, _)| other == port);
        assert!(!is_open(first));
        assert!((first + 1..=first + 16).all(is_open));
        // And serve the next use.
        let lease = leases.try_take(first + 1, None, access).unwrap().unwrap();
        assert!(!is_open(first + 1));
        drop(lease);
        assert!(is_open(first + 1));
    }
}
