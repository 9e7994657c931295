//! Kernel locks on files: the only file that touches `fs2`.
//!
//! Calls to it are written out in full (`fs2::FileExt::…`), for since Rust 1.89 `File` has methods of the same names.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process;

use super::record;
use crate::error::Error;
use crate::files::{self, Access, FileId};
use crate::who::Holder;

/// An exclusive lock on the file at a path, with a record of who holds it. Let go when dropped, or when its process
/// ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock {
    /// Present until it is let go.
    file: Option<LockFile>,
    /// The file's size in bytes when it was locked.
    len: u64,
}

/// What comes of trying to lock a file.
#[derive(Debug)]
pub(crate) enum Tried {
    Taken(Lock),
    /// Another holder has it.
    Held,
    /// It is not the lock's file any more.
    Gone,
}

/// The open file of a lock.
#[derive(Debug)]
pub(crate) struct LockFile {
    file: File,
    id: FileId,
    path: PathBuf,
    /// The process that opened it. A forked child shares the open file with its parent, and so the lock: it could not
    /// lock the parent out, and its unlock would be the parent's.
    process: u32,
}

impl LockFile {
    fn open(path: &Path, access: Access) -> Result<Self, Error> {
        let (file, found) = files::open_lock(path, access)?;
        Ok(Self {
            file,
            id: FileId::new(&found, path),
            path: path.to_owned(),
            process: process::id(),
        })
    }

    /// Locks it, if no other holder has and its path still names it: the file may have been removed since it was opened, and
    /// the path may name a new one, which another process can lock as well.
    ///
    /// # Errors
    ///
    /// When it cannot be locked.
    pub(crate) fn try_lock(self) -> Result<Tried, Error> {
        let locked = retried(|| fs2::FileExt::try_lock_exclusive(&self.file))
            .map_err(|error| files::failed("lock", &self.path, error))?;
        if !locked {
            return Ok(Tried::Held);
        }
        let mut lock = Lock {
            file: Some(self),
            len: 0,
        };
        let file = lock.file();
        match files::look(&file.path) {
            Ok((id, len)) if id == file.id => {
                lock.len = len;
                Ok(Tried::Taken(lock))
            }
            Ok(_) => Ok(Tried::Gone),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Tried::Gone),
            Err(error) => Err(files::failed("look at the lock file", &file.path, error)),
        }
    }

    /// Whether this process opened it.
    pub(crate) fn is_ours(&self) -> bool {
        self.process == process::id()
    }

    /// Closing alone is not enough: a child that a sibling thread has just forked keeps the file open until it executes
    /// its program, and with the file the lock.
    fn unlock(&self) -> io::Result<()> {
        retried(|| fs2::FileExt::unlock(&self.file)).map(|_| ())
    }
}

impl Lock {
    /// How often a lock's file may turn out to be another one by the time it is locked.
    const TURNS: usize = 1000;

    /// Takes the lock if no other holder has it, making its file if need be. The holder's record is still to be
    /// [written](Self::write_record).
    ///
    /// # Errors
    ///
    /// When the file cannot be opened or locked, or is not to be trusted.
    pub(crate) fn try_take(path: &Path, access: Access) -> Result<Option<Self>, Error> {
        // Each turn means that another process released an id, which does not happen so often.
        for _ in 0..Self::TURNS {
            match LockFile::open(path, access)?.try_lock()? {
                Tried::Taken(lock) => return Ok(Some(lock)),
                Tried::Held => return Ok(None),
                Tried::Gone => {}
            }
        }
        let strange = "the file that is opened there is never the one that is found there: keep the store on another file \
                       system";
        Err(files::failed("lock", path, io::Error::other(strange)))
    }

    fn file(&self) -> &LockFile {
        self.file
            .as_ref()
            .expect("it is there until the lock is let go")
    }

    /// Whether a waiter has left its [mark](Self::mark) since a holder last wrote its record.
    pub(crate) fn is_marked(&self) -> bool {
        self.len >= files::MARKED_LEN
    }

    /// Leaves a mark on the file of a lock that another holder has: the file's length. Costs a look if it is there.
    ///
    /// # Errors
    ///
    /// When the file cannot be looked at, opened or extended.
    pub(crate) fn mark(path: &Path, access: Access) -> Result<(), Error> {
        match files::look(path) {
            Ok((_, len)) if len < files::MARKED_LEN => {
                let (file, _) = files::open_lock(path, access)?;
                files::mark(&file).map_err(|error| files::failed("mark the lock file", path, error))
            }
            // Marked already, or gone: then there is no holder.
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(files::failed("look at the lock file", path, error)),
        }
    }

    /// Writes down that this thread holds the lock, for the id with this key if there is one.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub(crate) fn write_record(&self, key: Option<&str>) -> Result<(), Error> {
        self.write(key, None, self.len)
    }

    /// Records what this holder waits for, for its own waiters to report; none when it no longer waits.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub(crate) fn write_waits_for(
        &self,
        key: Option<&str>,
        waits_for: Option<&str>,
    ) -> Result<(), Error> {
        // It can have any length by now. A waiter whose mark is removed leaves it again.
        self.write(key, waits_for, u64::MAX)
    }

    fn write(&self, key: Option<&str>, waits_for: Option<&str>, old_len: u64) -> Result<(), Error> {
        let file = self.file();
        let record = record::of_this_thread(file.process, key, waits_for);
        files::write_record(&file.file, &file.path, old_len, &record)
            .map_err(|error| files::failed("write the lock file", &file.path, error))
    }

    /// The holder of the lock at this moment, if there is one.
    ///
    /// To find out, a shared lock is taken for an instant: two that look do not see each other, but a process that wants
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
        Ok(Some(record::read(path)))
    }

    /// Which file is locked.
    pub(crate) fn id(&self) -> &FileId {
        &self.file().id
    }

    /// Whether its path names the file that is locked, and not another one or none.
    #[cfg(unix)]
    pub(crate) fn is_in_place(&self) -> bool {
        let file = self.file();
        files::look(&file.path).is_ok_and(|(id, _)| id == file.id)
    }

    /// Whether this process took the lock, and not the parent that it was forked from.
    pub(crate) fn is_ours(&self) -> bool {
        self.file().is_ours()
    }

    /// Lets go, as a drop does, but tells of a failure, and leaves the file open for the next time. For a lock that
    /// [is ours](Self::is_ours).
    pub(crate) fn release(mut self) -> Result<LockFile, Error> {
        let file = self.file.take().expect("a lock ends once");
        match file.unlock() {
            Ok(()) => Ok(file),
            Err(error) => Err(files::failed("unlock", &file.path, error)),
        }
    }

    /// Removes the file, then lets go. The caller holds the store's lock as well.
    pub(crate) fn remove(self) -> Result<(), Error> {
        if files::LOCKS_CAN_BE_REMOVED {
            let path = &self.file().path;
            fs::remove_file(path)
                .map_err(|error| files::failed("remove the lock file", path, error))?;
        }
        self.release().map(drop)
    }
}

/// A copy of this descriptor keeps the lock when this process becomes another program.
#[cfg(unix)]
impl std::os::fd::AsFd for Lock {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.file().file.as_fd()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(file) = self.file.take()
            && file.is_ours()
        {
            // A drop cannot report it, and the close that follows unlocks as well, a little later at worst.
            let _ = file.unlock();
        }
    }
}

/// True: locked, or unlocked; false: another holder has it.
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
