//! Opening, checking and replacing files in a folder that others may reach.
//!
//! What can be planted in a shared folder (a link, a FIFO, another user's file) is refused rather than followed:
//! the store decides which port a test uses, and no other user may hold its lock. What "another user" means
//! differs between platforms; the files below have the same functions each.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;

use crate::error::{Cause, Error};

mod sys;

pub(crate) use sys::{
    Access, FileId, Stamp, is_own, look, make_private_folder, mark, read_record, touch,
    user_suffix, write_record,
};

/// A lock file of this length in bytes has a waiter: no record is as long.
pub(crate) const MARKED_LEN: u64 = 64 * 1024;

/// Whether lock files can be removed: only where a process that locks one can see that its path names another file by now.
pub(crate) const LOCKS_CAN_BE_REMOVED: bool = cfg!(unix);

/// An error about `path`; `action` is a verb and its object, such as "read the store".
pub(crate) fn failed(action: &'static str, path: &Path, source: io::Error) -> Error {
    Cause::Store {
        action,
        path: path.to_owned(),
        source,
    }
    .into()
}

fn untrusted(path: &Path, why: impl Into<String>) -> Error {
    Cause::Untrusted {
        path: path.to_owned(),
        why: why.into(),
    }
    .into()
}

/// How the folder may be used; none when it is not there.
///
/// # Errors
///
/// When it belongs to another user, everyone can write to it, it is on another machine, or it is no folder at all.
pub(crate) fn access(folder: &Path) -> Result<Option<Access>, Error> {
    let found = match fs::symlink_metadata(folder) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("look at the folder", folder, error)),
    };
    if found.is_symlink() {
        sys::check_link(&found).map_err(|why| untrusted(folder, why))?;
    }
    let found =
        fs::metadata(folder).map_err(|error| failed("look at the folder", folder, error))?;
    if !found.is_dir() {
        return Err(untrusted(folder, "it is not a folder"));
    }
    let kind =
        sys::network_of(folder).map_err(|error| failed("look at the folder", folder, error))?;
    if let Some(kind) = kind {
        let why = format!(
            "it is on a network file system ({kind}), where locks and replaced files are not seen by all at once"
        );
        return Err(untrusted(folder, why));
    }
    match Access::of_folder(&found) {
        Ok(access) => Ok(Some(access)),
        Err(why) => Err(untrusted(folder, why)),
    }
}

/// Whether the path is on a network file system, or would be if it were made.
pub(crate) fn is_on_network(path: &Path) -> bool {
    let there = path.ancestors().find(|above| above.exists());
    there.is_some_and(|there| sys::network_of(there).is_ok_and(|kind| kind.is_some()))
}

/// Makes the folder (and those above it) if need be.
///
/// # Errors
///
/// When it cannot be made, or [`access`] refuses it.
pub(crate) fn make_folder(folder: &Path) -> Result<Access, Error> {
    if let Some(access) = access(folder)? {
        return Ok(access);
    }
    sys::create_folders(folder).map_err(|error| failed("make the folder", folder, error))?;
    access(folder)?.ok_or_else(|| {
        let gone = io::Error::from(io::ErrorKind::NotFound);
        failed("make the folder", folder, gone)
    })
}

/// Opens a file to read it; none when it is not there.
///
/// # Errors
///
/// When it cannot be read, is no regular file, or belongs to another user.
pub(crate) fn open(
    action: &'static str,
    path: &Path,
    access: Access,
) -> Result<Option<(File, fs::Metadata)>, Error> {
    checked(action, path, access, sys::options().read(true))
}

/// Opens a file to lock it and to write a record into it, making it and its folder if need be.
///
/// # Errors
///
/// As [`open`] and [`make_folder`].
pub(crate) fn open_lock(path: &Path, access: Access) -> Result<(File, fs::Metadata), Error> {
    const ACTION: &str = "open the lock file";
    let mut options = sys::lock_options();
    options.read(true).write(true);
    if let Some(opened) = checked(ACTION, path, access, &options)? {
        return Ok(opened);
    }
    // Another user may have removed the folder since it was checked, and put one of theirs in its place.
    let folder = path.parent().unwrap_or(path);
    self::access(folder)?;
    options.create(true);
    let create = || {
        sys::make_shared(path, access)
            .map_err(|error| failed("share the lock file", path, error))?;
        checked(ACTION, path, access, &options)
    };
    let mut made = create()?;
    if made.is_none() {
        // Nor is its folder there.
        make_folder(folder)?;
        made = create()?;
    }
    let Some((file, found)) = made else {
        let missing = io::Error::from(io::ErrorKind::NotFound);
        return Err(failed(ACTION, path, missing));
    };
    access
        .apply(&file, &found)
        .map_err(|error| failed("share the lock file", path, error))?;
    Ok((file, found))
}

fn checked(
    action: &'static str,
    path: &Path,
    access: Access,
    options: &fs::OpenOptions,
) -> Result<Option<(File, fs::Metadata)>, Error> {
    let opened =
        sys::open(options, path).and_then(|file| file.metadata().map(|found| (file, found)));
    match opened {
        Ok((file, found)) => {
            let trusted = if found.is_file() {
                access.allows(&found)
            } else {
                Err("it is not a regular file".to_owned())
            };
            match trusted {
                Ok(()) => Ok(Some((file, found))),
                Err(why) => Err(untrusted(path, why)),
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        // Systems report differently that a link was not followed; what is there does not differ.
        Err(_) if fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) => {
            Err(untrusted(path, "it is a symbolic link"))
        }
        Err(error) => Err(failed(action, path, error)),
    }
}

/// A temporary file that is gone once every process that has it open has closed it or was killed. It
/// has a name until then, to open it a second time.
#[cfg(windows)]
pub(crate) fn make_fleeting() -> io::Result<tempfile::NamedTempFile> {
    tempfile::Builder::new().make(sys::create_fleeting)
}

/// Puts `text` in the place of the file at `path`, so that a reader finds either the old text or the new one, and a
/// crash leaves one of them. Mode and group of the old file are kept. The caller holds the lock on `path`.
///
/// Gives the new file if a later change of it cannot be missed; not where a file that is open cannot be moved.
///
/// # Errors
///
/// When any step fails; the old file is untouched then.
pub(crate) fn replace(path: &Path, text: &[u8], access: Access) -> io::Result<Option<File>> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    // The name is fixed, not random: the caller's lock makes it ours, and what a killed process left under it is
    // replaced by the next one rather than joined.
    let mut temporary = name.to_owned();
    temporary.push(".new");
    match fs::remove_file(folder.join(&temporary)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = tempfile::Builder::new()
        .prefix(&temporary)
        .rand_bytes(0)
        .tempfile_in(folder)?;
    file.write_all(text)?;
    match fs::symlink_metadata(path) {
        Ok(old) => sys::take_after(file.as_file(), &old)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            access.apply(file.as_file(), &file.as_file().metadata()?)?;
        }
        Err(error) => return Err(error),
    }
    // To the nanosecond: where the clock of the system's own file times only ticks every few milliseconds, an edit in
    // place that follows at once would leave both size and time as they were.
    let is_timed = file.as_file().set_modified(SystemTime::now()).is_ok();
    // Without it, a power cut after the rename can leave an empty file under the new name.
    file.as_file().sync_all()?;
    Ok(sys::persist(file, path)?.filter(|_| is_timed))
}
