//! How often a file is replaced.

use std::path::Path;

#[cfg(target_os = "linux")]
pub struct Written {
    watch: std::os::fd::OwnedFd,
    name: std::ffi::OsString,
}

#[cfg(target_os = "linux")]
impl Written {
    /// Begins to count.
    pub fn to(path: &Path) -> Self {
        use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
        let watch = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
        let changes = WatchFlags::MOVED_TO | WatchFlags::MODIFY | WatchFlags::CREATE;
        add_watch(&watch, path.parent().unwrap(), changes).unwrap();
        Self {
            watch,
            name: path.file_name().unwrap().to_owned(),
        }
    }

    /// How often the file was replaced or changed; none where that cannot be told.
    #[expect(clippy::unnecessary_wraps, reason = "same signature as elsewhere")]
    pub fn times(self) -> Option<usize> {
        use std::os::unix::ffi::OsStrExt;
        let mut buffer = [const { std::mem::MaybeUninit::uninit() }; 4096];
        let mut reader = rustix::fs::inotify::Reader::new(&self.watch, &mut buffer);
        let mut count = 0;
        while let Ok(event) = reader.next() {
            let name = event.file_name();
            count += usize::from(name.is_some_and(|name| name.to_bytes() == self.name.as_bytes()));
        }
        Some(count)
    }
}

#[cfg(not(target_os = "linux"))]
pub struct Written;

#[cfg(not(target_os = "linux"))]
impl Written {
    pub fn to(_path: &Path) -> Self {
        Self
    }

    pub fn times(self) -> Option<usize> {
        None
    }
}
