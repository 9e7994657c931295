//! Where files have no owners and modes to look at (Windows): per-user folders are private by default there.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::NamedTempFile;

use crate::wait::Wait;

/// What a store's folder allows: always private use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Access;

#[expect(clippy::unnecessary_wraps, reason = "same signatures as on Unix")]
impl Access {
    pub(super) fn of_folder(_folder: &Metadata) -> Result<Self, String> {
        Ok(Self)
    }

    pub(super) fn allows(self, _file: &Metadata) -> Result<(), String> {
        Ok(())
    }

    pub(super) fn apply(self, _file: &File, _found: &Metadata) -> io::Result<()> {
        Ok(())
    }
}

#[expect(clippy::unnecessary_wraps, reason = "same signature as on Unix")]
pub(super) fn check_link(_link: &Metadata) -> Result<(), String> {
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "same signature as on Unix")]
pub(super) fn network_of(_folder: &Path) -> io::Result<Option<&'static str>> {
    Ok(None)
}

pub(super) fn options() -> OpenOptions {
    OpenOptions::new()
}

pub(super) fn create_folders(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

#[expect(clippy::unnecessary_wraps, reason = "same signature as on Unix")]
pub(super) fn make_shared(_path: &Path, _access: Access) -> io::Result<()> {
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
pub(super) fn take_after(_file: &File, _old: &Metadata) -> io::Result<()> {
    Ok(())
}

/// Moves the temporary file to its place, which fails for as long as a reader has the old one open.
pub(super) fn persist(mut file: NamedTempFile, path: &Path) -> io::Result<()> {
    let mut wait = Wait::new(Duration::from_secs(5));
    loop {
        match file.persist(path) {
            Ok(_) => return Ok(()),
            Err(failure) => {
                if failure.error.kind() != io::ErrorKind::PermissionDenied || !wait.pause() {
                    return Err(failure.error);
                }
                file = failure.file;
            }
        }
    }
}

/// Stands for the file by its path, for locks are never removed here.
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp {
    size: u64,
    created: Option<SystemTime>,
    modified: Option<SystemTime>,
}

impl Stamp {
    pub(crate) fn new(found: &Metadata, _path: &Path) -> Self {
        Self {
            size: found.len(),
            created: found.created().ok(),
            modified: found.modified().ok(),
        }
    }
}

/// Writes who holds the lock beside the locked file, which nobody else can read here, and sets the locked file's time
/// to now.
pub(crate) fn write_note(lock: &File, path: &Path, _old_len: u64, note: &[u8]) -> io::Result<()> {
    fs::write(note_path(path), note)?;
    touch(lock)
}

/// Sets the file's time to now.
pub(crate) fn touch(file: &File) -> io::Result<()> {
    file.set_modified(SystemTime::now())
}

/// What [`write_note`] wrote.
pub(crate) fn read_note(lock: &Path) -> io::Result<Vec<u8>> {
    fs::read(note_path(lock))
}

fn note_path(lock: &Path) -> PathBuf {
    lock.with_extension("holder")
}
