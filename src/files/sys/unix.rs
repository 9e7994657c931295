//! Owners, modes and file numbers as Unix has them.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{
    DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown,
};
use std::path::Path;

use rustix::fs::{OFlags, Timespec, Timestamps, UTIME_NOW};
use tempfile::NamedTempFile;

/// What a store's folder allows: private use, or use by the members of its group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Access {
    /// The group whose members share the store: the folder's, when the group can write to the folder.
    group: Option<u32>,
    /// Whether others can put files into the folder.
    is_open: bool,
}

impl Access {
    const FOR_GROUP: u32 = 0o020;
    const FOR_ALL: u32 = 0o002;
    const STICKY: u32 = 0o1000;

    /// Reads the folder's owner and mode. A group that can write to it shares the store on purpose; everyone cannot.
    pub(crate) fn of_folder(folder: &Metadata) -> Result<Self, String> {
        let (mode, owner) = (folder.mode(), folder.uid());
        if mode & Self::FOR_ALL != 0 && mode & Self::STICKY == 0 {
            return Err("everyone can write to it and remove what others wrote".to_owned());
        }
        let shared = mode & Self::FOR_GROUP != 0 && mode & Self::FOR_ALL == 0;
        if owner != user() && owner != ROOT && !shared {
            return Err(format!("it belongs to user {owner}"));
        }
        Ok(Self {
            group: shared.then(|| folder.gid()),
            is_open: shared || mode & Self::FOR_ALL != 0,
        })
    }

    /// Whether a file found in the folder is ours, or of the group that shares it, and was not somewhere else before.
    pub(crate) fn allows(self, file: &Metadata) -> Result<(), String> {
        if self.is_open && file.nlink() > 1 {
            // Where links are not protected, others can give any file of ours a name in here.
            return Err(
                "it has a second name elsewhere (a hard link), and would be overwritten there"
                    .to_owned(),
            );
        }
        if file.uid() == user() || self.group == Some(file.gid()) {
            Ok(())
        } else {
            Err(format!("it belongs to user {}", file.uid()))
        }
    }

    /// Opens a file that was just made to the group that shares the folder; without one, it stays private.
    pub(crate) fn apply(self, file: &File, found: &Metadata) -> io::Result<()> {
        let Some(group) = self.group else {
            return Ok(());
        };
        // Two processes can make the same file at once; the one that owns it opens it up.
        if found.uid() == user() {
            fchown(file, None, Some(group))?;
            file.set_permissions(Permissions::from_mode(0o660))?;
        }
        Ok(())
    }
}

const ROOT: u32 = 0;

fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// A link on the way to the folder is fine when we or the system made it (`/tmp` is one on macOS).
pub(crate) fn check_link(link: &Metadata) -> Result<(), String> {
    if link.uid() == user() || link.uid() == ROOT {
        Ok(())
    } else {
        let owner = link.uid();
        Err(format!("it is a symbolic link that user {owner} made"))
    }
}

/// The network file system that the folder is on, if it is on one.
#[cfg(target_os = "linux")]
pub(crate) fn network_of(folder: &Path) -> io::Result<Option<&'static str>> {
    let found = rustix::io::retry_on_intr(|| rustix::fs::statfs(folder))?;
    // The type's width and sign differ between processors; the numbers have 32 bits.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let magic = found.f_type as u32;
    Ok(network_with(magic))
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn network_of(_folder: &Path) -> io::Result<Option<&'static str>> {
    Ok(None)
}

/// The network file system that has this number in the kernel's `magic.h`, and in `cifs` and `kafs`.
///
/// Not those that pass a host's own files into its guests (9p, virtiofs), whose locks the guest keeps.
#[cfg(target_os = "linux")]
fn network_with(magic: u32) -> Option<&'static str> {
    Some(match magic {
        0x6969 => "NFS",
        0x517b | 0xfe53_4d42 | 0xff53_4d42 => "SMB",
        0x5346_414f | 0x6b41_4653 => "AFS",
        0x564c => "NCP",
        _ => return None,
    })
}

/// Options that neither follow a link nor wait for the other end of a FIFO.
pub(crate) fn options() -> OpenOptions {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut options = OpenOptions::new();
    options.mode(0o600).custom_flags(flags.bits().cast_signed());
    options
}

/// Locks need no others: see [`LOCKS_CAN_BE_REMOVED`](crate::files::LOCKS_CAN_BE_REMOVED).
pub(crate) fn lock_options() -> OpenOptions {
    options()
}

pub(crate) fn open(options: &OpenOptions, path: &Path) -> io::Result<File> {
    options.open(path)
}

/// Makes the folder, private, or shared like the one above it.
pub(crate) fn create_folders(folder: &Path) -> io::Result<()> {
    let mut private = DirBuilder::new();
    private.recursive(true).mode(0o700);
    if let Some(above) = folder.parent() {
        private.create(above)?;
        if let Ok(Access {
            group: Some(group), ..
        }) = Access::of_folder(&fs::metadata(above)?)
        {
            return create_shared_folder(above, folder, group);
        }
    }
    private.create(folder)
}

/// Opened to the group under another name first: members who come at once never meet a folder that keeps them out,
/// nor does one stay behind when we are killed.
fn create_shared_folder(above: &Path, folder: &Path, group: u32) -> io::Result<()> {
    let made = tempfile::tempdir_in(above)?;
    std::os::unix::fs::chown(made.path(), None, Some(group))?;
    // The set-group-id bit hands the group on to what is made inside.
    fs::set_permissions(made.path(), Permissions::from_mode(0o2770))?;
    // In the place of nothing, or of what another member has just made and is still empty.
    match fs::rename(made.path(), folder) {
        Ok(()) => {
            let _ = made.keep();
            Ok(())
        }
        Err(_) if folder.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes a file in a folder that a group shares, and opens it to the group before it has a name; for the same reasons.
///
/// Where the folder is not there, the file is, or the system has no files without a name, it does nothing.
pub(crate) fn make_shared(path: &Path, access: Access) -> io::Result<()> {
    let made = match (access.group, path.parent()) {
        (Some(_), Some(folder)) => make_nameless_first(folder, path, access),
        _ => Ok(()),
    };
    match made {
        Err(error)
            if !matches!(
                error.kind(),
                io::ErrorKind::NotFound
                    | io::ErrorKind::AlreadyExists
                    | io::ErrorKind::Unsupported
                    | io::ErrorKind::IsADirectory
            ) =>
        {
            Err(error)
        }
        _ => Ok(()),
    }
}

#[cfg(target_os = "linux")]
fn make_nameless_first(folder: &Path, path: &Path, access: Access) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, linkat};
    use std::os::fd::AsFd;

    let file = OpenOptions::new()
        .write(true)
        .mode(0o600)
        .custom_flags(OFlags::TMPFILE.bits().cast_signed())
        .open(folder)?;
    access.apply(&file, &file.metadata()?)?;
    linkat(
        CWD,
        crate::proc::path_of(file.as_fd()),
        CWD,
        path,
        AtFlags::SYMLINK_FOLLOW,
    )?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn make_nameless_first(_: &Path, _: &Path, _: Access) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Makes a folder that no other user can enter, or checks that it is one.
pub(crate) fn make_private_folder(folder: &Path) -> io::Result<Result<(), String>> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = fs::symlink_metadata(folder)?;
    Ok(if !found.is_dir() {
        Err("it is not a folder".to_owned())
    } else if found.uid() != user() {
        Err(format!("it belongs to user {}", found.uid()))
    } else if found.mode() & 0o077 != 0 {
        Err("others can enter it".to_owned())
    } else {
        Ok(())
    })
}

/// Whether the folder is this user's own.
pub(crate) fn is_own(folder: &Metadata) -> bool {
    folder.uid() == user()
}

/// The part of a path that keeps this user's folder apart from others'.
pub(crate) fn user_suffix() -> String {
    format!("-{}", user())
}

/// Gives `file` the mode and the group that `old` has.
pub(crate) fn take_after(file: &File, old: &Metadata) -> io::Result<()> {
    if file.metadata()?.gid() != old.gid() {
        fchown(file, None, Some(old.gid()))?;
    }
    file.set_permissions(old.permissions())
}

/// Moves the temporary file to its place.
pub(crate) fn persist(file: NamedTempFile, path: &Path) -> io::Result<Option<File>> {
    Ok(Some(file.persist(path)?))
}

/// Which file it is, whatever its path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    pub(crate) fn new(found: &Metadata, _path: &Path) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
        }
    }
}

/// Which file is at the path, and its size in bytes; a link is not followed.
///
/// Asks Linux for no more than that. Since 6.13 it records a new time at once for a file whose times a process has
/// seen since the last, which makes each record of a lock's holder cost twice as much.
#[cfg(target_os = "linux")]
pub(crate) fn look(path: &Path) -> io::Result<(FileId, u64)> {
    use rustix::fs::{AtFlags, CWD, StatxFlags, makedev, statx};

    let wanted = StatxFlags::INO | StatxFlags::SIZE;
    match statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, wanted) {
        Ok(found) => {
            let id = FileId {
                device: makedev(found.stx_dev_major, found.stx_dev_minor),
                inode: found.stx_ino,
            };
            Ok((id, found.stx_size))
        }
        // Some sandboxes forbid the call; the standard library knows how to do without.
        Err(_) => look_at_all(path),
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) use look_at_all as look;

pub(crate) fn look_at_all(path: &Path) -> io::Result<(FileId, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((FileId::new(&found, path), found.len()))
}

/// What changes when a file's text does, for as long as a file with the stamp is kept open: an open file keeps its
/// number from being used again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp {
    id: FileId,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// The stamp; none where it would not tell one text from the next.
    pub(crate) fn new(found: &Metadata, path: &Path) -> Self {
        Self {
            id: FileId::new(found, path),
            size: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

/// Writes who holds the lock into the locked file itself, of `old_len` bytes so far, which also makes the file's time that of the last use.
pub(crate) fn write_record(
    lock: &File,
    _path: &Path,
    old_len: u64,
    record: &[u8],
) -> io::Result<()> {
    lock.write_all_at(record, 0)?;
    let len = record.len() as u64;
    if old_len > len {
        lock.set_len(len)?;
    }
    Ok(())
}

/// Sets the file's time to now, which everyone may who can write to it, and not only its owner.
pub(crate) fn touch(file: &File) -> io::Result<()> {
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_NOW,
    };
    let both = Timestamps {
        last_access: now,
        last_modification: now,
    };
    rustix::fs::futimens(file, &both).map_err(io::Error::from)
}

/// Extends the locked file, whose record ends before: others see that there is a waiter.
pub(crate) fn mark(lock: &File) -> io::Result<()> {
    lock.set_len(crate::files::MARKED_LEN)
}

/// What [`write_record`] wrote.
pub(crate) fn read_record(lock: &Path) -> io::Result<Vec<u8>> {
    let mut record = Vec::new();
    options()
        .read(true)
        .open(lock)?
        .take(64 * 1024)
        .read_to_end(&mut record)?;
    // Behind it, a waiter may have left its mark.
    let end = record
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |last| last + 1);
    record.truncate(end);
    Ok(record)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_told_from_local_ones() {
        for (magic, name) in [
            (0x6969, Some("NFS")),
            (0xff53_4d42, Some("SMB")),
            (0xef53, None),      // ext4
            (0x0102_1994, None), // tmpfs
            (0x794c_7630, None), // overlayfs
            (0x9123_683e, None), // btrfs
            (0x0102_1997, None), // 9p
        ] {
            assert_eq!(network_with(magic), name, "{magic:#x}");
        }
        assert_eq!(network_of(&std::env::temp_dir()).unwrap(), None);
    }
}
