//! Taking over what Python's `port-for` remembers: the INI file `/etc/port-for.conf`.

use std::fmt;
use std::path::Path;

use crate::error::{Cause, Error};
use crate::port_for::PortFor;
use crate::python_config::{Entry, Fault, parse};
use crate::store::Snapshot;

/// What an import did: the entries that are new, and those that the store had already.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imported {
    /// Assigned now.
    pub new: Vec<Entry>,
    /// Assigned before, the same way.
    pub known: Vec<Entry>,
}

/// Takes over all assignments of the file, in one write, or none of them.
pub(crate) fn import(port_for: &PortFor, path: &Path) -> Result<Imported, Error> {
    let text = std::fs::read_to_string(path).map_err(|source| Cause::ImportUnread {
        path: path.to_owned(),
        source,
    })?;
    let (entries, mut faults) = parse(&text);
    let store = port_for.store();
    let mut imported = Imported::default();
    let mut ports = Vec::new();
    let mut change = if faults.is_empty() {
        Some(store.begin(port_for.config().timeout)?)
    } else {
        None
    };
    // With bad lines nothing will be written, and the conflicts are listed all the same.
    let before = match &change {
        Some(change) => change.snapshot().clone(),
        None => Snapshot::clone(&*store.snapshot()?),
    };
    for entry in entries {
        let key = port_for.key(&entry.id)?.into_owned();
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
            let _ = store.leases().note_use(*port, change.access());
        }
        return Ok(imported);
    }
    faults.sort_by_key(|fault| fault.line);
    Err(Cause::Import {
        path: path.to_owned(),
        faults,
        store: store.path().to_owned(),
    }
    .into())
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

/// One a line, indented.
pub(crate) struct Faults<'a>(pub(crate) &'a [Fault]);

impl fmt::Display for Faults<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}
