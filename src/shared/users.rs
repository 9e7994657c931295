//! The users of a shared server: a locked file each, with a record of who it is.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::Error;
use crate::files::{self, Access};
use crate::lease::{Lock, record};
use crate::wait::Wait;
use crate::who::Holder;

#[derive(Debug)]
pub(super) struct Users {
    folder: PathBuf,
    access: Access,
}

/// One use. A drop ends it; the end of the process does as well.
#[derive(Debug)]
pub(super) struct Use(Option<Lock>);

impl Users {
    pub(super) fn new(folder: PathBuf, access: Access) -> Self {
        Self { folder, access }
    }

    /// Makes this thread a user. The caller holds the gate.
    pub(super) fn join(&self, key: &str) -> Result<Use, Error> {
        // The keeper may be testing the lock for an instant.
        const GLANCE: Duration = Duration::from_secs(1);
        files::make_folder(&self.folder)?;
        let name = format!("{}-{:016x}", std::process::id(), fastrand::u64(..));
        let path = self.folder.join(name);
        let mut wait = Wait::new(GLANCE);
        loop {
            if let Some(lock) = Lock::try_take(&path, self.access)? {
                lock.write_record(Some(key))?;
                return Ok(Use(Some(lock)));
            }
            if !wait.pause() {
                let error = io::Error::other("another process keeps it locked");
                return Err(files::failed("lock", &path, error));
            }
        }
    }

    /// Whether there is a user.
    pub(super) fn any(&self) -> Result<bool, Error> {
        for path in self.files()? {
            if self.lives(&path)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Who they are, the oldest first.
    pub(super) fn list(&self) -> Result<Vec<Holder>, Error> {
        let mut list = Vec::new();
        for path in self.files()? {
            if self.lives(&path)? {
                list.push(record::read(&path));
            }
        }
        list.sort_by_key(Holder::since);
        Ok(list)
    }

    /// Whether the file is a living user's. That of a killed one is removed.
    fn lives(&self, path: &Path) -> Result<bool, Error> {
        if Lock::holder(path, self.access)?.is_some() {
            return Ok(true);
        }
        // Without it or with a new one, which is locked by now, it is looked at again the next time.
        if path.exists()
            && let Some(lock) = Lock::try_take(path, self.access)?
        {
            lock.remove()?;
        }
        Ok(false)
    }

    fn files(&self) -> Result<Vec<PathBuf>, Error> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries,
        };
        entries
            .and_then(|entries| {
                entries
                    .map(|entry| entry.map(|entry| entry.path()))
                    .collect()
            })
            .map_err(|error| files::failed("read the folder", &self.folder, error))
    }
}

impl Use {
    #[cfg(all(unix, any(feature = "cli", fuzzing)))]
    pub(super) fn lock(&self) -> Option<&Lock> {
        self.0.as_ref()
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        // In a forked child, the use is the parent's.
        if let Some(lock) = self.0.take()
            && lock.is_ours()
        {
            // A file that stays is unlocked all the same, and removed by the keeper.
            let _ = lock.remove();
        }
    }
}
