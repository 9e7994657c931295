//! The store: assignments in one JSON file, read without a lock and changed only under it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::error::{Cause, Error};
use crate::files::{self, Access, Stamp};
use crate::lease::Leases;
use crate::wait::Wait;
use once_cell::sync::OnceCell;

mod assignment;
mod group;
pub(crate) mod location;
mod snapshot;
mod text;
mod transaction;

pub use assignment::Assignment;
pub(crate) use snapshot::Snapshot;
#[cfg(fuzzing)]
pub(crate) use text::{parse, print};
pub(crate) use transaction::Transaction;

/// A store's file, the lock that guards its changes, and the leases of its ports.
#[derive(Debug)]
pub(crate) struct Store {
    path: PathBuf,
    lock: PathBuf,
    leases: Leases,
    /// Found out when the folder is first seen.
    access: OnceCell<Access>,
    cache: Mutex<Option<Cached>>,
}

#[derive(Debug)]
struct Cached {
    stamp: Stamp,
    snapshot: Arc<Snapshot>,
    /// Kept open: then no other file can get this one's number, and equal stamps mean equal texts. On Windows an
    /// open file cannot be replaced, and the time of creation does that job.
    _file: Option<File>,
}

impl Store {
    /// How long a text that is no store may be one that is just being written: we replace the file, but an editor may
    /// empty it and write it anew.
    const EDITING: Duration = Duration::from_millis(250);

    /// The store at an absolute path; nothing is read or made yet.
    pub(crate) fn new(path: PathBuf) -> Self {
        let beside = |suffix: &str| {
            let mut name = path.clone().into_os_string();
            name.push(suffix);
            PathBuf::from(name)
        };
        Self {
            lock: beside(".lock"),
            leases: Leases::new(beside(".leases")),
            path,
            access: OnceCell::new(),
            cache: Mutex::new(None),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn leases(&self) -> &Leases {
        &self.leases
    }

    /// The assignments as they are now. The file is not locked, and not read again while it has not changed.
    ///
    /// # Errors
    ///
    /// When the file is there and cannot be read, is not to be trusted, or is not a store. Only a missing file is an
    /// empty store.
    pub(crate) fn snapshot(&self) -> Result<Arc<Snapshot>, Error> {
        const ACTION: &str = "read the store";
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = match fs::symlink_metadata(&self.path) {
            Ok(found) => Stamp::new(&found, &self.path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // The folder may be there all the same, and not be fit to keep a store in.
                self.access()?;
                *cache = None;
                return Ok(Arc::default());
            }
            Err(error) => return Err(files::failed(ACTION, &self.path, error)),
        };
        if let Some(cached) = &*cache
            && cached.stamp == stamp
        {
            return Ok(Arc::clone(&cached.snapshot));
        }
        let Some(access) = self.access()? else {
            return Ok(Arc::default());
        };
        let mut wait = Wait::new(Self::EDITING);
        let (file, found, snapshot) = loop {
            let Some((mut file, found)) = files::open(ACTION, &self.path, access)? else {
                return Ok(Arc::default());
            };
            let mut text = Vec::new();
            file.read_to_end(&mut text)
                .map_err(|error| files::failed(ACTION, &self.path, error))?;
            match self.parse(text) {
                Ok(snapshot) => break (file, found, Arc::new(snapshot)),
                Err(error) if !wait.pause() => return Err(error),
                Err(_) => {}
            }
        };
        *cache = Some(Cached {
            // Of the open file: the path may name a newer one by now.
            stamp: Stamp::new(&found, &self.path),
            snapshot: Arc::clone(&snapshot),
            _file: cfg!(unix).then_some(file),
        });
        Ok(snapshot)
    }

    /// What was just written need not be read again while the path names that file.
    fn keep(&self, written: Option<File>, len: usize, snapshot: &Arc<Snapshot>) {
        let found = written.as_ref().map(File::metadata);
        let cached = match found {
            // Of another size: it was edited by hand already.
            Some(Ok(found)) if found.len() == len as u64 => Some(Cached {
                stamp: Stamp::new(&found, &self.path),
                snapshot: Arc::clone(snapshot),
                _file: written,
            }),
            _ => None,
        };
        *self.cache.lock().unwrap_or_else(PoisonError::into_inner) = cached;
    }

    /// The assignments as they were when they were last read or written, if they were.
    pub(crate) fn last_read(&self) -> Option<Arc<Snapshot>> {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&cache.as_ref()?.snapshot))
    }

    /// How the folder may be used; none while it is not there.
    ///
    /// # Errors
    ///
    /// When it belongs to another user, everyone can write to it, or it is no folder.
    pub(crate) fn access(&self) -> Result<Option<Access>, Error> {
        if let Some(access) = self.access.get() {
            return Ok(Some(*access));
        }
        let access = files::access(self.folder())?;
        Ok(access.map(|access| *self.access.get_or_init(|| access)))
    }

    /// How the folder may be used, which is made if need be.
    ///
    /// # Errors
    ///
    /// As [`access`](Self::access), and when it cannot be made.
    pub(crate) fn access_or_make(&self) -> Result<Access, Error> {
        match self.access()? {
            Some(access) => Ok(access),
            None => self.make_folder(),
        }
    }

    /// Makes the folder if need be, and tells how it may be used.
    fn make_folder(&self) -> Result<Access, Error> {
        let access = files::make_folder(self.folder())?;
        Ok(*self.access.get_or_init(|| access))
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    fn parse(&self, text: Vec<u8>) -> Result<Snapshot, Error> {
        text::parse(text).map_err(|source| {
            let path = self.path.clone();
            Cause::Corrupt { path, source }.into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_removed_ids_nothing_is_left_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().join("ports.json"));
        let change = |change: &dyn Fn(&mut Transaction<'_>)| {
            let mut transaction = store.begin(Duration::ZERO).unwrap();
            change(&mut transaction);
            transaction.commit().unwrap();
        };
        change(&|all| all.assign("api", 21800));
        for nth in 0..20 {
            let id = format!("{nth:0200}");
            change(&|all| all.assign(&id, 21801));
            change(&|all| all.remove(&id));
        }
        change(&|all| all.assign("web", 21801));
        let snapshot = store.snapshot().unwrap();
        assert_eq!(
            snapshot.iter().collect::<Vec<_>>(),
            [("api", 21800), ("web", 21801)]
        );
        assert!(snapshot.ids.len() < 100, "{}", snapshot.ids.len());
    }

    #[test]
    fn what_was_written_is_not_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().join("ports.json"));
        let mut change = store.begin(Duration::ZERO).unwrap();
        change.assign("api", 21800);
        change.commit().unwrap();
        if cfg!(unix) {
            assert!(Arc::ptr_eq(&store.snapshot().unwrap(), change.draft()));
        }
        // Nor does a change that is not committed, or fails, show.
        change.assign("web", 21801);
        assert_eq!(store.snapshot().unwrap().port_of("web"), None);
        drop(change);
        fs::create_dir(folder.path().join("ports.json.new")).unwrap();
        let mut change = store.begin(Duration::ZERO).unwrap();
        change.assign("web", 21801);
        change.commit().unwrap_err();
        assert_eq!(store.snapshot().unwrap().port_of("web"), None);
    }
}
