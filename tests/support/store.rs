//! Stores for one test each.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use port_for::PortFor;
use tempfile::TempDir;

/// A store in a folder that goes when it does.
#[derive(Debug)]
pub struct TempStore {
    folder: TempDir,
    ports: PortFor,
    /// An id that no other test has, and so a port that hardly any other is given.
    pub api: String,
}

impl TempStore {
    pub fn new() -> Self {
        Self::new_in(&std::env::temp_dir())
    }

    /// In a folder inside of this one.
    pub fn new_in(place: &Path) -> Self {
        let folder = tempfile::tempdir_in(place).unwrap();
        let ports = PortFor::open(folder.path().join("ports.json")).unwrap();
        let api = format!("api {}", folder.path().display());
        Self { folder, ports, api }
    }

    /// A store whose file has this text.
    pub fn with(text: impl AsRef<[u8]>) -> Self {
        let store = Self::new();
        fs::write(store.path(), text).unwrap();
        store
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The store as a process that has just started sees it.
    pub fn reopened(&self) -> PortFor {
        PortFor::open(self.path()).unwrap()
    }

    /// The text of the file; none when there is no file.
    pub fn text(&self) -> Option<String> {
        fs::read_to_string(self.path()).ok()
    }

    /// Makes these all assignments that there are.
    pub fn write(&self, ports: &BTreeMap<String, u16>) {
        let text = serde_json::json!({ "version": 1, "ports": ports });
        fs::write(self.path(), serde_json::to_vec_pretty(&text).unwrap()).unwrap();
    }

    /// The ids that have a port.
    #[track_caller]
    pub fn ids(&self) -> Vec<String> {
        let all = self.ports.assignments().unwrap();
        all.iter().map(|found| found.id().to_owned()).collect()
    }

    /// The lock of the store, held until the file is dropped, as by another process that writes the store.
    #[track_caller]
    pub fn locked(&self) -> File {
        let lock = File::open(self.folder().join("ports.json.lock")).unwrap();
        fs2::FileExt::lock_exclusive(&lock).unwrap();
        lock
    }

    /// The folder of leases.
    pub fn leases(&self) -> PathBuf {
        self.folder().join("ports.json.leases")
    }

    /// The lease of a port.
    pub fn lease(&self, port: u16) -> PathBuf {
        self.leases().join(format!("{port}.lock"))
    }

    /// Makes it look as if the port was last used at that time.
    pub fn set_last_used(&self, port: u16, time: SystemTime) -> std::io::Result<()> {
        let lease = File::options().write(true).open(self.lease(port))?;
        lease.set_modified(time)
    }

    /// Makes it look as if the port was last used that long ago.
    #[track_caller]
    pub fn age(&self, port: u16, ago: Duration) {
        self.set_last_used(port, SystemTime::now() - ago).unwrap();
    }
}

impl std::ops::Deref for TempStore {
    type Target = PortFor;

    fn deref(&self) -> &PortFor {
        &self.ports
    }
}
