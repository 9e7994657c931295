//! Ways to open files that the standard library passes on as numbers.

use std::fs::OpenOptions;
use std::os::windows::fs::OpenOptionsExt;

use windows_sys::Win32::Storage::FileSystem::{
    FILE_ATTRIBUTE_TEMPORARY, FILE_FLAG_DELETE_ON_CLOSE, FILE_SHARE_READ, FILE_SHARE_WRITE,
};

/// Has the file stay in its place for as long as it is open: others can open it, but neither remove nor replace it.
pub(crate) fn keep_in_place(options: &mut OpenOptions) {
    options.share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE);
}

/// Has the system remove the file when the last process that has it open has closed it, or was killed.
pub(crate) fn remove_when_closed(options: &mut OpenOptions) {
    options.custom_flags(FILE_ATTRIBUTE_TEMPORARY | FILE_FLAG_DELETE_ON_CLOSE);
}
