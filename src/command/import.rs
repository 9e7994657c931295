//! Taking over what Python's `port-for` remembers: the INI file `/etc/port-for.conf`.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::python_config::{Entry, Fault, parse};
use crate::context::Context;
use crate::error::Error;
use crate::store::Snapshot;

/// What an import did: the entries that are new, and those that the store had already.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imported {
    /// Assigned now.
    pub new: Vec<Entry>,
    /// Assigned before, the same way.
    pub known: Vec<Entry>,
}

/// Why a file was not imported.
#[derive(Debug)]
pub enum ImportError {
    /// It cannot be read.
    Unread {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It has lines that cannot be imported; nothing was changed.
    Conflicts {
        /// The file.
        path: PathBuf,
        /// The store that it was to be imported into.
        store: PathBuf,
        /// What is wrong, line by line.
        faults: Vec<Fault>,
    },
    /// The store cannot be read or written.
    Store(Error),
}

impl From<Error> for ImportError {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unread { path, source } => {
                write!(f, "cannot read `{}` to import it: {source}", path.display())
            }
            Self::Conflicts {
                path,
                store,
                faults,
            } => {
                write!(
                    f,
                    "cannot import `{}` into `{}`, and nothing was changed:",
                    path.display(),
                    store.display()
                )?;
                faults.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
            }
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ImportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unread { source, .. } => Some(source),
            Self::Conflicts { .. } => None,
            Self::Store(error) => Some(error),
        }
    }
}

/// The line behind this text is in another encoding.
fn not_utf8(before: &[u8]) -> Fault {
    Fault {
        line: before.split(|&byte| byte == b'\n').count(),
        what:
            "it is not UTF-8, but Latin-1 perhaps; convert the file by `iconv -f latin1 -t utf-8`"
                .to_owned(),
    }
}

/// Takes over all assignments of the file, in one write, or none of them.
pub(crate) fn import(context: &Context, path: &Path) -> Result<Imported, ImportError> {
    let bytes = std::fs::read(path).map_err(|source| ImportError::Unread {
        path: path.to_owned(),
        source,
    })?;
    let (entries, mut faults) = match std::str::from_utf8(&bytes) {
        Ok(text) => parse(text),
        Err(error) => (Vec::new(), vec![not_utf8(&bytes[..error.valid_up_to()])]),
    };
    let store = &context.store;
    let mut imported = Imported::default();
    let mut ports = Vec::new();
    let mut change = if faults.is_empty() {
        Some(store.begin(context.config.timeout)?)
    } else {
        None
    };
    // With bad lines nothing will be written, and the conflicts are listed all the same.
    let before = match &change {
        Some(change) => change.snapshot().clone(),
        None => Snapshot::clone(&*store.snapshot()?),
    };
    for entry in entries {
        let key = context.key(&entry.id)?.into_owned();
        match conflict(&before, &key, entry.port) {
            Some(what) => faults.push(Fault {
                line: entry.line,
                what,
            }),
            None if before.port_of(&key).is_some() => imported.known.push(entry),
            None => {
                ports.push((key, entry.port));
                imported.new.push(entry);
            }
        }
    }
    if let Some(change) = &mut change
        && faults.is_empty()
    {
        for (key, port) in &ports {
            change.assign(key, *port);
        }
        change.commit()?;
        for (_, port) in &ports {
            // They are imported; that this was a use may stay unknown.
            let _ = store.leases().record_use(*port, change.access());
        }
        return Ok(imported);
    }
    faults.sort_by_key(|fault| fault.line);
    Err(ImportError::Conflicts {
        path: path.to_owned(),
        store: store.path().to_owned(),
        faults,
    })
}

/// What the store has against it.
fn conflict(before: &Snapshot, key: &str, port: u16) -> Option<String> {
    match (before.port_of(key), before.id_of(port)) {
        (Some(has), _) if has == port => None,
        (Some(has), _) => Some(format!(
            "`{key}` is to have port {port}, but has port {has} here"
        )),
        (None, Some(other)) => Some(format!(
            "port {port} of `{key}` is the port of `{other}` here"
        )),
        (None, None) => None,
    }
}
