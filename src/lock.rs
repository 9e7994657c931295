//! Kernel locks on files: the only file that touches `fs2`.
//!
//! Calls to it are written out in full (`fs2::FileExt::…`), for since Rust 1.89 `File` has methods of the same names.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::process;

use crate::error::Error;
use crate::files::{self, Access, FileId};
use crate::holder::Holder;

/// An exclusive lock on the file at a path, with a record of who holds it. Let go when dropped, or when its process
/// ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    id: FileId,
    path: PathBuf,
    /// What the file was when it was locked.
    found: Metadata,
    /// The process that took the lock; none once it is unlocked. A forked child shares the lock with its parent, and
    /// its unlock would be the parent's.
    owner: Option<u32>,
}

impl Lock {
    /// Takes the lock if nobody else has it, making its file if need be. The holder's record is still to be
    /// [written](Self::note).
    ///
    /// # Errors
    ///
    /// When the file cannot be opened or locked, or is not to be trusted.
    pub(crate) fn try_take(path: &Path, access: Access) -> Result<Option<Self>, Error> {
        loop {
            let (file, found) = files::open_lock(path, access)?;
            let locked = retried(|| fs2::FileExt::try_lock_exclusive(&file))
                .map_err(|error| files::failed("lock", path, error))?;
            if !locked {
                return Ok(None);
            }
            let mut lock = Self {
                id: FileId::new(&found, path),
                file,
                path: path.to_owned(),
                found,
                owner: Some(process::id()),
            };
            // Between the open and the lock the file may have been removed, and the path may name a new one, which
            // somebody else can lock as well. Each turn of this loop means that somebody else released an id.
            if let Some(found) = lock.in_place()? {
                lock.found = found;
                return Ok(Some(lock));
            }
        }
    }

    /// Whether the file was made for this lock, or its holders so far were gone before they left a record.
    pub(crate) fn is_new(&self) -> bool {
        // Where files that are open stay, there is nothing to tell, and the record is beside the file.
        files::LOCKS_CAN_BE_REMOVED && self.found.len() == 0
    }

    /// Writes down that this thread holds the lock.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub(crate) fn note(&self) -> Result<(), Error> {
        let note = Holder::note_of_this_thread(process::id());
        files::write_note(&self.file, &self.path, &self.found, &note)
            .map_err(|error| files::failed("write the lock file", &self.path, error))
    }

    /// Who holds the lock at this moment; none when nobody does.
    ///
    /// To find out, a shared lock is taken for an instant: two who look do not see each other, but somebody who wants
    /// the lock can be refused for that instant.
    ///
    /// # Errors
    ///
    /// When the file is there and cannot be opened or locked, or is not to be trusted.
    pub(crate) fn holder(path: &Path, access: Access) -> Result<Option<Holder>, Error> {
        let Some((file, _)) = files::open("open the lock file", path, access)? else {
            return Ok(None);
        };
        let free = retried(|| fs2::FileExt::try_lock_shared(&file))
            .map_err(|error| files::failed("lock", path, error))?;
        if free {
            retried(|| fs2::FileExt::unlock(&file))
                .map_err(|error| files::failed("unlock", path, error))?;
            return Ok(None);
        }
        Ok(Some(Holder::read(path)))
    }

    /// Which file is locked.
    pub(crate) fn id(&self) -> &FileId {
        &self.id
    }

    /// Whether this process took the lock, and not the parent that it was forked from.
    pub(crate) fn is_ours(&self) -> bool {
        self.owner == Some(process::id())
    }

    /// Unlocks and closes, as a drop does, but tells of a failure.
    pub(crate) fn release(mut self) -> Result<(), Error> {
        self.unlock()
            .map_err(|error| files::failed("unlock", &self.path, error))
    }

    /// Removes the file, then unlocks. The caller holds the store's lock as well.
    pub(crate) fn remove(self) -> Result<(), Error> {
        if files::LOCKS_CAN_BE_REMOVED {
            fs::remove_file(&self.path)
                .map_err(|error| files::failed("remove the lock file", &self.path, error))?;
        }
        self.release()
    }

    /// What is at the path, if it is the locked file.
    fn in_place(&self) -> Result<Option<Metadata>, Error> {
        match fs::symlink_metadata(&self.path) {
            Ok(found) => Ok((FileId::new(&found, &self.path) == self.id).then_some(found)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(files::failed("look at the lock file", &self.path, error)),
        }
    }

    fn unlock(&mut self) -> io::Result<()> {
        if let Some(owner) = self.owner.take()
            && owner == process::id()
        {
            // Closing alone is not enough: a child that a sibling thread has just forked keeps the file open until
            // it executes its program, and with the file the lock.
            retried(|| fs2::FileExt::unlock(&self.file))?;
        }
        Ok(())
    }
}

/// A copy of this descriptor keeps the lock when this process becomes another program.
#[cfg(all(unix, feature = "cli"))]
impl std::os::fd::AsFd for Lock {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A drop has nobody to tell, and the close that follows unlocks as well, a little later at worst.
        let _ = self.unlock();
    }
}

/// True: locked, or unlocked; false: somebody else has it.
fn retried(mut lock: impl FnMut() -> io::Result<()>) -> io::Result<bool> {
    loop {
        match lock() {
            Ok(()) => return Ok(true),
            // fs2 passes an interruption by a signal on to its caller.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // On Windows a contended lock is a bare error 33, without a kind of its own.
            Err(error) if error.raw_os_error() == fs2::lock_contended_error().raw_os_error() => {
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
    }
}
