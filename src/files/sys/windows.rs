//! Windows, where files have no owners and modes to look at: per-user folders are private by default there.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::{Component, Path, PathBuf, Prefix};
use std::time::{Duration, SystemTime};

use tempfile::NamedTempFile;

use crate::wait::Wait;

use super::flags;

/// What a store's folder allows: always private use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Access;

#[expect(clippy::unnecessary_wraps, reason = "same signatures as on Unix")]
impl Access {
    pub(crate) fn of_folder(_folder: &Metadata) -> Result<Self, String> {
        Ok(Self)
    }

    pub(crate) fn allows(self, _file: &Metadata) -> Result<(), String> {
        Ok(())
    }

    pub(crate) fn apply(self, _file: &File, _found: &Metadata) -> io::Result<()> {
        Ok(())
    }
}

#[expect(clippy::unnecessary_wraps, reason = "same signature as on Unix")]
pub(crate) fn check_link(_link: &Metadata) -> Result<(), String> {
    Ok(())
}

/// The network file system that the folder is on, if it is on one.
#[expect(clippy::unnecessary_wraps, reason = "same signature as on Unix")]
pub(crate) fn network_of(folder: &Path) -> io::Result<Option<&'static str>> {
    // What a drive's letter stands for, if the drive can tell: some that are in memory cannot.
    let found = fs::canonicalize(folder);
    Ok(is_on_share(found.as_deref().unwrap_or(folder)).then_some("a share"))
}

/// Whether the path is one like `\\server\share\folder`.
fn is_on_share(path: &Path) -> bool {
    let first = path.components().next();
    matches!(first, Some(Component::Prefix(prefix))
        if matches!(prefix.kind(), Prefix::UNC(..) | Prefix::VerbatimUNC(..)))
}

/// Options that let other processes replace the file meanwhile.
pub(crate) fn options() -> OpenOptions {
    OpenOptions::new()
}

/// Options that keep the file in its place for as long as it is open: a second one there could be locked as well.
pub(crate) fn lock_options() -> OpenOptions {
    let mut options = options();
    flags::keep_in_place(&mut options);
    options
}

/// Makes a file to write and to read, which is gone once everybody who has it open has closed it.
pub(crate) fn create_fleeting(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    flags::remove_when_closed(&mut options);
    options.open(path)
}

pub(crate) fn create_folders(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

#[expect(clippy::unnecessary_wraps, reason = "same signature as on Unix")]
pub(crate) fn make_shared(_path: &Path, _access: Access) -> io::Result<()> {
    Ok(())
}

pub(crate) fn make_private_folder(folder: &Path) -> io::Result<Result<(), String>> {
    fs::create_dir_all(folder).map(Ok)
}

pub(crate) fn is_own(_folder: &Metadata) -> bool {
    true
}

pub(crate) fn user_suffix() -> String {
    String::new()
}

#[expect(clippy::unnecessary_wraps, reason = "same signature as on Unix")]
pub(crate) fn take_after(_file: &File, _old: &Metadata) -> io::Result<()> {
    Ok(())
}

/// Moves the temporary file to its place, which can fail while another process has the old one open: a program that
/// does not share what it reads, or one that looks for viruses.
pub(crate) fn persist(file: NamedTempFile, path: &Path) -> io::Result<Option<File>> {
    const PATIENCE: Duration = Duration::from_secs(5);
    let (_file, temporary) = file.keep()?;
    let moved = unless_in_use(PATIENCE, || fs::rename(&temporary, path));
    if moved.is_err() {
        // That it could not be moved is the news.
        let _ = fs::remove_file(&temporary);
    }
    moved.map(|()| None)
}

/// Opens the file, which can fail at the moment that it is replaced.
pub(crate) fn open(options: &OpenOptions, path: &Path) -> io::Result<File> {
    const PATIENCE: Duration = Duration::from_millis(250);
    unless_in_use(PATIENCE, || match options.open(path) {
        // So says Windows of a folder, too, which stays one.
        Err(_) if path.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        opened => opened,
    })
}

/// Tries until no other process is in the way.
fn unless_in_use<T>(limit: Duration, mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    const ERROR_SHARING_VIOLATION: i32 = 32;
    let mut wait = Wait::new(limit);
    loop {
        match attempt() {
            Err(error)
                if (error.kind() == io::ErrorKind::PermissionDenied
                    || error.raw_os_error() == Some(ERROR_SHARING_VIOLATION))
                    && wait.pause() => {}
            done => return done,
        }
    }
}

/// Stands for the file by its path, because locks are never removed here.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct FileId(PathBuf);

impl FileId {
    pub(crate) fn new(_found: &Metadata, path: &Path) -> Self {
        Self(path.to_owned())
    }
}

/// Which file is at the path, and its size in bytes.
pub(crate) fn look(path: &Path) -> io::Result<(FileId, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((FileId::new(&found, path), found.len()))
}

/// What changes when a file's text does.
#[derive(Debug, Clone)]
pub(crate) struct Stamp {
    size: u64,
    created: Option<SystemTime>,
    modified: Option<SystemTime>,
    /// Whether the file was changed so lately that another change can have been made at the same time.
    is_fresh: bool,
}

impl Stamp {
    /// Longer than any clock takes for a tick: two seconds, on a FAT.
    const TICK: Duration = Duration::from_secs(3);

    pub(crate) fn new(found: &Metadata, _path: &Path) -> Self {
        let modified = found.modified().ok();
        Self {
            size: found.len(),
            created: found.created().ok(),
            modified,
            is_fresh: !modified
                .is_some_and(|modified| modified.elapsed().is_ok_and(|ago| ago > Self::TICK)),
        }
    }
}

/// Equal if nothing was changed in between: not if that is unknown, because files have no numbers here, and a new one can
/// have the size and the times of the one whose place it has taken.
impl PartialEq for Stamp {
    fn eq(&self, other: &Self) -> bool {
        let parts = |of: &Self| (of.size, of.created, of.modified);
        !self.is_fresh && !other.is_fresh && parts(self) == parts(other)
    }
}

/// Writes the holder's record beside the locked file, which other processes cannot read here, and sets the locked file's time
/// to now.
pub(crate) fn write_record(
    lock: &File,
    path: &Path,
    _old_len: u64,
    record: &[u8],
) -> io::Result<()> {
    fs::write(record_path(path), record)?;
    touch(lock)
}

/// Sets the file's time to now.
pub(crate) fn touch(file: &File) -> io::Result<()> {
    file.set_modified(SystemTime::now())
}

/// What is locked cannot be changed here: waiters leave no mark.
#[expect(clippy::unnecessary_wraps, reason = "same signature as on Unix")]
pub(crate) fn mark(_lock: &File) -> io::Result<()> {
    Ok(())
}

/// What [`write_record`] wrote.
pub(crate) fn read_record(lock: &Path) -> io::Result<Vec<u8>> {
    fs::read(record_path(lock))
}

fn record_path(lock: &Path) -> PathBuf {
    lock.with_extension("holder")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_network_file_system_and_a_drive_is_none() {
        for (path, is_share) in [
            (r"\\server\share\folder", true),
            (r"\\?\UNC\server\share\folder", true),
            (r"\\wsl.localhost\Debian\home", true),
            (r"C:\Users\me", false),
            (r"\\?\C:\Users\me", false),
            (r"folder", false),
        ] {
            assert_eq!(is_on_share(Path::new(path)), is_share, "{path}");
        }
        assert_eq!(network_of(&std::env::temp_dir()).unwrap(), None);
    }

    #[test]
    fn a_file_may_have_changed_for_as_long_as_its_time_is_that_of_now() {
        let path = tempfile::NamedTempFile::new().unwrap();
        let stamp = |ago| {
            let then = SystemTime::now() - Duration::from_secs(ago);
            path.as_file().set_modified(then).unwrap();
            let found = path.as_file().metadata().unwrap();
            [(); 2].map(|()| Stamp::new(&found, path.path()))
        };
        let [fresh, again] = stamp(0);
        assert_ne!(fresh, again);
        let [settled, again] = stamp(60);
        assert_eq!(settled, again);
        assert_ne!(settled, fresh);
    }
}
