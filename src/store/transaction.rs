//! Changes of the store.

use std::sync::Arc;
use std::time::Duration;

use super::Store;
use super::snapshot::{Snapshot, append};
use super::text;
use crate::error::{Cause, Error};
use crate::files::{self, Access};
use crate::lease::{Lock, record};
use crate::wait::{Wait, without_pending};

impl Store {
    /// Starts a change once the store's lock is free, and reads the assignments under it. Stops the thread.
    ///
    /// # Errors
    ///
    /// As [`snapshot`](Self::snapshot), when the lock cannot be taken, and when it is not free within `limit`.
    pub(crate) fn begin(&self, limit: Duration) -> Result<Transaction<'_>, Error> {
        without_pending(self.begin_within(&mut Wait::new(limit)))
    }

    /// As [`begin`](Self::begin), for threads and for tasks.
    ///
    /// # Errors
    ///
    /// As [`begin`](Self::begin).
    pub(crate) async fn begin_within(&self, wait: &mut Wait) -> Result<Transaction<'_>, Error> {
        loop {
            if let Some(change) = self.try_begin()? {
                return Ok(change);
            }
            if !wait.rest().await {
                return Err(Cause::StoreLocked {
                    path: self.lock.clone(),
                    holder: record::read(&self.lock),
                    waited: wait.elapsed(),
                }
                .into());
            }
        }
    }

    /// Starts a change; none while the store's lock is held.
    pub(crate) fn try_begin(&self) -> Result<Option<Transaction<'_>>, Error> {
        let access = self.access_or_make()?;
        let Some(lock) = Lock::try_take(&self.lock, access)? else {
            return Ok(None);
        };
        lock.write_record(None)?;
        Ok(Some(Transaction::new(self, access, self.snapshot()?, lock)))
    }
}

/// A change of the store, under its lock. Nothing is written before [`commit`](Self::commit).
#[derive(Debug)]
pub(crate) struct Transaction<'a> {
    store: &'a Store,
    access: Access,
    /// Copied when it is first changed.
    draft: Arc<Snapshot>,
    changed: bool,
    /// Held for as long as the transaction lives, so beyond the commit.
    _lock: Lock,
}

impl<'a> Transaction<'a> {
    pub(super) fn new(store: &'a Store, access: Access, draft: Arc<Snapshot>, lock: Lock) -> Self {
        Self {
            store,
            access,
            draft,
            changed: false,
            _lock: lock,
        }
    }

    #[cfg(test)]
    pub(super) fn draft(&self) -> &Arc<Snapshot> {
        &self.draft
    }

    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.draft
    }

    pub(crate) fn access(&self) -> Access {
        self.access
    }

    /// Gives `id` the port, which no other id has.
    pub(crate) fn assign(&mut self, id: &str, port: u16) {
        debug_assert_eq!(self.draft.id_of(port), None);
        let draft = Arc::make_mut(&mut self.draft);
        match draft.find(id) {
            Ok(at) => draft.ports[at].1 = port,
            Err(at) => {
                let span = append(&mut draft.ids, id);
                draft.ports.insert(at, (span, port));
            }
        }
        self.changed = true;
    }

    pub(crate) fn remove(&mut self, id: &str) {
        if let Ok(at) = self.draft.find(id) {
            Arc::make_mut(&mut self.draft).ports.remove(at);
            self.changed = true;
        }
    }

    /// Writes what was changed, if anything was. The lock stays until the transaction is dropped.
    ///
    /// # Errors
    ///
    /// When it cannot be written; the store is as it was then.
    pub(crate) fn commit(&mut self) -> Result<(), Error> {
        if self.changed {
            let text = text::print(&self.draft);
            let written = files::replace(&self.store.path, &text, self.access)
                .map_err(|error| files::failed("write the store", &self.store.path, error))?;
            self.changed = false;
            self.store.keep(written, text.len(), &self.draft);
        }
        Ok(())
    }
}
