//! The store: assignments in one JSON file, read without a lock and changed only under it.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use once_cell::sync::OnceCell;
use serde_core::de::{self, Deserializer, MapAccess, Visitor};
use serde_core::ser::{Serialize, SerializeMap, Serializer};

use crate::error::{Cause, Error};
use crate::files::{self, Access, Stamp};
use crate::holder::Holder;
use crate::id::{MAX_ID, MAX_NAMESPACE, broken_rule, broken_rule_of_plain};
use crate::lease::Leases;
use crate::lock::Lock;
use crate::wait::Wait;

/// What the assignments were at one moment, sorted by id. No id and no port is there twice.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    // One text and one list, rather than a text for each id: the first guard of every process reads the whole store,
    // and a change copies it. Sorted, as the file is: reading is appending, and looking up is bisecting.
    /// What was read, where most ids stand as they are; behind it those that do not, or came later.
    ids: String,
    ports: Vec<(Span, u16)>,
}

/// A part of a snapshot's `ids`: from which byte on, and how many. An id has no more than 4,352.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    len: u16,
}

impl Snapshot {
    pub(crate) fn port_of(&self, id: &str) -> Option<u16> {
        self.find(id).ok().map(|at| self.ports[at].1)
    }

    pub(crate) fn id_of(&self, port: u16) -> Option<&str> {
        self.iter()
            .find(|&(_, assigned)| assigned == port)
            .map(|(id, _)| id)
    }

    /// Ids and their ports, sorted by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, u16)> {
        self.ports.iter().map(|&(id, port)| (self.id(id), port))
    }

    fn id(&self, span: Span) -> &str {
        span.of(&self.ids)
    }

    fn find(&self, id: &str) -> Result<usize, usize> {
        find(&self.ports, |span| self.id(span), id)
    }
}

/// With nothing but the ids in its text: what a chain of changes leaves there of removed ones does not add up.
impl Clone for Snapshot {
    fn clone(&self) -> Self {
        let mut ids =
            String::with_capacity(self.ports.iter().map(|(id, _)| usize::from(id.len)).sum());
        let ports = self.iter().map(|(id, port)| (append(&mut ids, id), port));
        Self {
            ports: ports.collect(),
            ids,
        }
    }
}

fn append(text: &mut String, id: &str) -> Span {
    let span = Span::new(text.len(), id);
    text.push_str(id);
    span
}

impl Span {
    fn new(start: usize, id: &str) -> Self {
        Self {
            start: u32::try_from(start)
                .expect("no longer text is read, and what is added is short"),
            len: u16::try_from(id.len()).expect("an id is short"),
        }
    }

    fn of(self, text: &str) -> &str {
        let start = self.start as usize;
        &text[start..start + usize::from(self.len)]
    }
}

/// Where `id` is among the sorted ids, or would be.
fn find<'a>(
    ports: &[(Span, u16)],
    id_of: impl Fn(Span) -> &'a str,
    id: &str,
) -> Result<usize, usize> {
    // The end first: that is where each id of a sorted file goes.
    match ports.last() {
        Some(&(last, _)) if id_of(last) < id => Err(ports.len()),
        _ => ports.binary_search_by(|&(other, _)| id_of(other).cmp(id)),
    }
}

/// A store's file, the lock that guards its changes, and the leases of its ports.
#[derive(Debug)]
pub(crate) struct Store {
    path: PathBuf,
    lock: PathBuf,
    leases: Leases,
    /// Found out when the folder is first seen.
    access: OnceCell<Access>,
    cache: Mutex<Option<Cached>>,
}

#[derive(Debug)]
struct Cached {
    stamp: Stamp,
    snapshot: Arc<Snapshot>,
    /// Kept open, for then no other file can get this one's number, and equal stamps mean equal texts. On Windows an
    /// open file cannot be replaced, and the time of creation does that job.
    _file: Option<File>,
}

impl Store {
    /// How long a text that is no store may be one that somebody is just writing: we replace the file, but an editor may
    /// empty it and write it anew.
    const EDITING: Duration = Duration::from_millis(250);

    /// The store at an absolute path; nothing is read or made yet.
    pub(crate) fn new(path: PathBuf) -> Self {
        let beside = |suffix: &str| {
            let mut name = path.clone().into_os_string();
            name.push(suffix);
            PathBuf::from(name)
        };
        Self {
            lock: beside(".lock"),
            leases: Leases::new(beside(".leases")),
            path,
            access: OnceCell::new(),
            cache: Mutex::new(None),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn leases(&self) -> &Leases {
        &self.leases
    }

    /// The assignments as they are now. The file is not locked, and not read again while it has not changed.
    ///
    /// # Errors
    ///
    /// When the file is there and cannot be read, is not to be trusted, or is not a store. Only a missing file is an
    /// empty store.
    pub(crate) fn snapshot(&self) -> Result<Arc<Snapshot>, Error> {
        const ACTION: &str = "read the store";
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = match fs::symlink_metadata(&self.path) {
            Ok(found) => Stamp::new(&found, &self.path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // The folder may be there all the same, and not be fit to keep a store in.
                self.access()?;
                *cache = None;
                return Ok(Arc::default());
            }
            Err(error) => return Err(files::failed(ACTION, &self.path, error)),
        };
        if let Some(cached) = &*cache
            && cached.stamp == stamp
        {
            return Ok(Arc::clone(&cached.snapshot));
        }
        let Some(access) = self.access()? else {
            return Ok(Arc::default());
        };
        let mut wait = Wait::new(Self::EDITING);
        let (file, found, snapshot) = loop {
            let Some((mut file, found)) = files::open(ACTION, &self.path, access)? else {
                return Ok(Arc::default());
            };
            let mut text = Vec::new();
            file.read_to_end(&mut text)
                .map_err(|error| files::failed(ACTION, &self.path, error))?;
            match self.parse(text) {
                Ok(snapshot) => break (file, found, Arc::new(snapshot)),
                Err(error) if !wait.pause() => return Err(error),
                Err(_) => {}
            }
        };
        *cache = Some(Cached {
            // Of the open file: the path may name a newer one by now.
            stamp: Stamp::new(&found, &self.path),
            snapshot: Arc::clone(&snapshot),
            _file: cfg!(unix).then_some(file),
        });
        Ok(snapshot)
    }

    /// What was just written needs not be read again, for as long as the path names that file.
    fn keep(&self, written: Option<File>, len: usize, snapshot: &Arc<Snapshot>) {
        let found = written.as_ref().map(File::metadata);
        let cached = match found {
            // Of another size: it was edited by hand already.
            Some(Ok(found)) if found.len() == len as u64 => Some(Cached {
                stamp: Stamp::new(&found, &self.path),
                snapshot: Arc::clone(snapshot),
                _file: written,
            }),
            _ => None,
        };
        *self.cache.lock().unwrap_or_else(PoisonError::into_inner) = cached;
    }

    /// The assignments as they were when they were last read or written, if they were.
    pub(crate) fn last_read(&self) -> Option<Arc<Snapshot>> {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&cache.as_ref()?.snapshot))
    }

    /// How the folder may be used; none while it is not there.
    ///
    /// # Errors
    ///
    /// When it is somebody else's, everybody's, or no folder.
    pub(crate) fn access(&self) -> Result<Option<Access>, Error> {
        if let Some(access) = self.access.get() {
            return Ok(Some(*access));
        }
        let access = files::access(self.folder())?;
        Ok(access.map(|access| *self.access.get_or_init(|| access)))
    }

    /// Makes the folder if need be, and tells how it may be used.
    fn make_folder(&self) -> Result<Access, Error> {
        let access = files::make_folder(self.folder())?;
        Ok(*self.access.get_or_init(|| access))
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    /// Starts a change: takes the store's lock, waiting for it up to `limit`, and reads the assignments under it.
    ///
    /// # Errors
    ///
    /// As [`snapshot`](Self::snapshot), and when the lock cannot be taken.
    pub(crate) fn begin(&self, limit: Duration) -> Result<Transaction<'_>, Error> {
        let access = match self.access()? {
            Some(access) => access,
            None => self.make_folder()?,
        };
        let mut wait = Wait::new(limit);
        let lock = loop {
            if let Some(lock) = Lock::try_take(&self.lock, access)? {
                lock.note()?;
                break lock;
            }
            if !wait.pause() {
                return Err(Cause::StoreLocked {
                    path: self.lock.clone(),
                    holder: Holder::read(&self.lock),
                    waited: wait.elapsed(),
                }
                .into());
            }
        };
        Ok(Transaction {
            store: self,
            access,
            draft: self.snapshot()?,
            changed: false,
            _lock: lock,
        })
    }

    fn parse(&self, text: Vec<u8>) -> Result<Snapshot, Error> {
        parse(text).map_err(|source| {
            let path = self.path.clone();
            Cause::Corrupt { path, source }.into()
        })
    }
}

/// A change of the store, under its lock. Nothing is written before [`commit`](Self::commit).
#[derive(Debug)]
pub(crate) struct Transaction<'a> {
    store: &'a Store,
    access: Access,
    /// Copied when it is first changed.
    draft: Arc<Snapshot>,
    changed: bool,
    /// Held for as long as the transaction lives, so beyond the commit.
    _lock: Lock,
}

impl Transaction<'_> {
    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.draft
    }

    pub(crate) fn access(&self) -> Access {
        self.access
    }

    /// Gives `id` the port, which no other id has.
    pub(crate) fn assign(&mut self, id: &str, port: u16) {
        debug_assert_eq!(self.draft.id_of(port), None);
        let draft = Arc::make_mut(&mut self.draft);
        match draft.find(id) {
            Ok(at) => draft.ports[at].1 = port,
            Err(at) => {
                let span = append(&mut draft.ids, id);
                draft.ports.insert(at, (span, port));
            }
        }
        self.changed = true;
    }

    pub(crate) fn remove(&mut self, id: &str) {
        if let Ok(at) = self.draft.find(id) {
            Arc::make_mut(&mut self.draft).ports.remove(at);
            self.changed = true;
        }
    }

    /// Writes what was changed, if anything was. The lock stays until the transaction is dropped.
    ///
    /// # Errors
    ///
    /// When it cannot be written; the store is as it was then.
    pub(crate) fn commit(&mut self) -> Result<(), Error> {
        if self.changed {
            let text = print(&self.draft);
            let written = files::replace(&self.store.path, &text, self.access)
                .map_err(|error| files::failed("write the store", &self.store.path, error))?;
            self.changed = false;
            self.store.keep(written, text.len(), &self.draft);
        }
        Ok(())
    }
}

/// The version of the store's format that this crate reads and writes.
const VERSION: u64 = 1;

pub(crate) fn print(snapshot: &Snapshot) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(snapshot)
        .expect("a map of strings to numbers, written to memory, has nothing that can fail");
    text.push(b'\n');
    text
}

/// So that a [`Span`] can name any place in the text, and behind it.
const LONGEST: usize = 1 << 31;

pub(crate) fn parse(text: Vec<u8>) -> Result<Snapshot, serde_json::Error> {
    // All of it at once, which is faster than id by id.
    let text = String::from_utf8(text).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let lines: Vec<_> = valid.split(|&byte| byte == b'\n').collect();
        let (line, column) = (lines.len(), lines.last().map_or(0, |line| line.len()) + 1);
        de::Error::custom(format_args!("no UTF-8 at line {line} column {column}"))
    })?;
    if text.len() > LONGEST {
        return Err(de::Error::custom("it has more than two gigabytes"));
    }
    let mut reader = serde_json::Deserializer::from_str(&text);
    let Reading { others, ports, .. } = reader.deserialize_map(Root(&text))?;
    reader.end()?;
    let mut ids = text;
    ids.push_str(&others);
    Ok(Snapshot { ids, ports })
}

/// The whole of the text.
struct Root<'a>(&'a str);

impl<'a, 'de: 'a> Visitor<'de> for Root<'a> {
    type Value = Reading<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a store: `{\"version\": 1, \"ports\": {…}}`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Reading<'a>, A::Error> {
        let (mut version, mut ports) = (None, None);
        while let Some(field) = map.next_key::<String>()? {
            let again = match &*field {
                "version" => version.replace(map.next_value::<Version>()?).is_some(),
                "ports" => {
                    let reading = Reading::of(self.0);
                    ports.replace(map.next_value_seed(reading)?).is_some()
                }
                _ => return Err(de::Error::unknown_field(&field, &["version", "ports"])),
            };
            if again {
                return Err(de::Error::custom(format_args!("`{field}` is there twice")));
            }
        }
        version.ok_or_else(|| de::Error::missing_field("version"))?;
        ports.ok_or_else(|| de::Error::missing_field("ports"))
    }
}

/// The version, which is the one that we know.
struct Version;

impl<'de> de::Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        match u64::deserialize(reader)? {
            VERSION => Ok(Self),
            other => Err(de::Error::custom(format_args!(
                "version {other} of the format is not known here, only {VERSION} is: another release of `port-for` \
                 wrote it"
            ))),
        }
    }
}

impl Serialize for Snapshot {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        struct Ports<'a>(&'a Snapshot);

        impl Serialize for Ports<'_> {
            fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
                writer.collect_map(self.0.iter())
            }
        }

        let mut root = writer.serialize_map(Some(2))?;
        root.serialize_entry("version", &VERSION)?;
        root.serialize_entry("ports", &Ports(self))?;
        root.end()
    }
}

/// A snapshot of which the text is still being read.
struct Reading<'a> {
    text: &'a str,
    /// Whether what stands in the text as it is cannot be a control character: there is nothing but ASCII in it, of which
    /// JSON lets only one stand there.
    is_plain: bool,
    /// The ids that are not in the text as they are, but with escapes. Their spans begin behind the text.
    others: String,
    ports: Vec<(Span, u16)>,
}

impl<'a> Reading<'a> {
    fn of(text: &'a str) -> Self {
        let highest = text.bytes().fold(0, u8::max);
        Self {
            text,
            is_plain: highest < 0x7f,
            others: String::new(),
            ports: Vec::new(),
        }
    }

    fn id(&self, span: Span) -> &str {
        match (span.start as usize).checked_sub(self.text.len()) {
            None => span.of(self.text),
            Some(start) => &self.others[start..start + usize::from(span.len)],
        }
    }
}

impl<'a, 'de: 'a> de::DeserializeSeed<'de> for Reading<'a> {
    type Value = Self;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'a, 'de: 'a> Visitor<'de> for Reading<'a> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of ids to ports")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        // A bit a port: a whole byte would cost more than most stores' text.
        let mut seen = [0_u64; 1 << 10];
        while let Some(span) = map.next_key_seed(Id(&mut self))? {
            let Port(port) = map.next_value()?;
            let id = self.id(span);
            let (word, bit) = (&mut seen[usize::from(port / 64)], 1 << (port % 64));
            let is_again = *word & bit != 0;
            *word |= bit;
            if is_again {
                let other = self.ports.iter().find(|&&(_, other)| other == port);
                let other = other.map_or("", |&(span, _)| self.id(span));
                return Err(de::Error::custom(format_args!(
                    "`{id}` has port {port}, which `{other}` has already"
                )));
            }
            match find(&self.ports, |span| self.id(span), id) {
                Ok(_) => {
                    return Err(de::Error::custom(format_args!("`{id}` is there twice")));
                }
                Err(at) => self.ports.insert(at, (span, port)),
            }
        }
        Ok(self)
    }
}

/// An id, and where it is.
struct Id<'a, 'r>(&'r mut Reading<'a>);

impl<'a, 'de: 'a> de::DeserializeSeed<'de> for Id<'a, '_> {
    type Value = Span;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Span, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'a, 'de: 'a> Visitor<'de> for Id<'a, '_> {
    type Value = Span;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id")
    }

    fn visit_borrowed_str<E: de::Error>(self, id: &'de str) -> Result<Span, E> {
        check(id, self.0.is_plain)?;
        // It is a slice of the text.
        Ok(Span::new(
            id.as_ptr().addr() - self.0.text.as_ptr().addr(),
            id,
        ))
    }

    fn visit_str<E: de::Error>(self, id: &str) -> Result<Span, E> {
        check(id, false)?;
        let span = Span::new(self.0.text.len() + self.0.others.len(), id);
        self.0.others.push_str(id);
        Ok(span)
    }
}

fn check<E: de::Error>(id: &str, is_plain: bool) -> Result<(), E> {
    const MAX: usize = MAX_NAMESPACE + 1 + MAX_ID;
    let broken = if is_plain {
        broken_rule_of_plain(id, MAX)
    } else {
        broken_rule(id, MAX)
    };
    match broken {
        None => Ok(()),
        Some(rule) => Err(E::custom(format_args!("{id:?} cannot be an id: {rule}"))),
    }
}

/// A number from 1 to 65535.
struct Port(u16);

impl<'de> de::Deserialize<'de> for Port {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Number;

        impl Visitor<'_> for Number {
            type Value = Port;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a port from 1 to 65535")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Port, E> {
                match u16::try_from(number) {
                    Ok(port) if port > 0 => Ok(Port(port)),
                    _ => Err(E::invalid_value(de::Unexpected::Unsigned(number), &self)),
                }
            }
        }

        reader.deserialize_u64(Number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_removed_ids_nothing_is_left_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().join("ports.json"));
        let change = |change: &dyn Fn(&mut Transaction<'_>)| {
            let mut transaction = store.begin(Duration::ZERO).unwrap();
            change(&mut transaction);
            transaction.commit().unwrap();
        };
        change(&|all| all.assign("api", 21800));
        for nth in 0..20 {
            let id = format!("{nth:0200}");
            change(&|all| all.assign(&id, 21801));
            change(&|all| all.remove(&id));
        }
        change(&|all| all.assign("web", 21801));
        let snapshot = store.snapshot().unwrap();
        assert_eq!(
            snapshot.iter().collect::<Vec<_>>(),
            [("api", 21800), ("web", 21801)]
        );
        assert!(snapshot.ids.len() < 100, "{}", snapshot.ids.len());
    }

    #[test]
    fn what_was_written_is_not_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().join("ports.json"));
        let mut change = store.begin(Duration::ZERO).unwrap();
        change.assign("api", 21800);
        change.commit().unwrap();
        if cfg!(unix) {
            assert!(Arc::ptr_eq(&store.snapshot().unwrap(), &change.draft));
        }
        // Nor does a change that is not committed, or fails, show.
        change.assign("web", 21801);
        assert_eq!(store.snapshot().unwrap().port_of("web"), None);
        drop(change);
        fs::create_dir(folder.path().join("ports.json.new")).unwrap();
        let mut change = store.begin(Duration::ZERO).unwrap();
        change.assign("web", 21801);
        change.commit().unwrap_err();
        assert_eq!(store.snapshot().unwrap().port_of("web"), None);
    }
}
