//! The files of one shared server.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::users::Users;
use crate::error::{Cause, Error, ErrorKind, Printed};
use crate::files::{self, Access};
use crate::id::fnv1a;
use crate::lease::Lock;
use crate::store::Store;
use crate::wait::{Wait, Waiter};

/// A folder beside the store, one for each id.
#[derive(Debug, Clone)]
pub(super) struct Place {
    id: String,
    key: String,
    folder: PathBuf,
    access: Access,
}

impl Place {
    /// How long the gate may be held: for as long as a keeper takes to start, and files to be written.
    const GATE: Duration = Duration::from_secs(60);

    /// The place of an id, with its folder made.
    pub(super) fn of(store: &Store, id: &str, key: &str) -> Result<Self, Error> {
        store.access_or_make()?;
        let all = Self::all(store);
        files::make_folder(&all)?;
        let folder = all.join(format!("{:016x}", fnv1a(key.as_bytes())));
        let access = files::make_folder(&folder)?;
        Ok(Self {
            id: id.to_owned(),
            key: key.to_owned(),
            folder,
            access,
        })
    }

    /// The folder of all shared servers of a store.
    pub(super) fn all(store: &Store) -> PathBuf {
        let mut folder = store.path().to_owned().into_os_string();
        folder.push(".shared");
        PathBuf::from(folder)
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// What the store calls the id.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    pub(super) fn access(&self) -> Access {
        self.access
    }

    pub(super) fn state(&self) -> PathBuf {
        self.folder.join("state.json")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    pub(super) fn users(&self) -> Users {
        Users::new(self.folder.join("users"), self.access)
    }

    /// The file of a value that is made once in the life of a server.
    pub(super) fn once(&self, start: &str, key: &str) -> PathBuf {
        let name = format!("{}{start}-{:016x}", Self::ONCE, fnv1a(key.as_bytes()));
        self.folder.join(name)
    }

    const ONCE: &str = "once-";

    /// Removes what belongs to the life of one server. What cannot be removed is not trusted by the next one either.
    pub(super) fn clear(&self) {
        let _ = fs::remove_file(self.log());
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(Self::ONCE) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// The gate, once it is open: others have it for an instant, or for as long as a keeper takes to start.
    pub(super) async fn gate(&self, waiter: Waiter) -> Result<Lock, Error> {
        let path = self.folder.join("gate");
        if let Some(lock) = self.lock(&path, Wait::of(waiter, Self::GATE)).await? {
            return Ok(lock);
        }
        let held = Lock::holder(&path, self.access)?;
        let by = held.map_or_else(String::new, |holder| format!(" by {holder}"));
        let gate = path.display();
        let why = format!("its gate `{gate}` was held for a minute{by}; let that process end");
        Err(self.failed(ErrorKind::NotStarted, why))
    }

    /// A lock that others have for an instant only; none if one has it for longer than that.
    pub(super) async fn lock(&self, path: &Path, mut wait: Wait) -> Result<Option<Lock>, Error> {
        loop {
            if let Some(lock) = Lock::try_take(path, self.access)? {
                lock.write_record(Some(&self.key))?;
                return Ok(Some(lock));
            }
            if !wait.rest().await {
                return Ok(None);
            }
        }
    }

    /// Held by the keeper for as long as it lives.
    pub(super) fn keeper(&self) -> PathBuf {
        self.folder.join("keeper")
    }

    pub(super) fn has_keeper(&self) -> Result<bool, Error> {
        Ok(Lock::holder(&self.keeper(), self.access)?.is_some())
    }

    /// Held by the keeper and the guardians of its servers, and so for as long as anything of a server lives.
    pub(super) fn life(&self) -> PathBuf {
        self.folder.join("life")
    }

    pub(super) fn failed(&self, kind: ErrorKind, why: impl AsRef<str>) -> Error {
        self.error(
            kind,
            format!("cannot share the server of `{}`: {}", self.id, why.as_ref()),
        )
    }

    pub(super) fn error(&self, kind: ErrorKind, what: String) -> Error {
        Cause::Shared {
            kind,
            id: self.id.clone(),
            what,
            output: Printed::default(),
            source: None,
        }
        .into()
    }
}
