//! `PortFor`: one store, and what can be asked of it.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use once_cell::sync::OnceCell;

use crate::acquire;
use crate::config::{self, Config};
use crate::error::Error;
use crate::files::{self, Access};
use crate::forget;
use crate::guard::PortGuard;
use crate::holder::Holder;
use crate::id;
use crate::lease::Leases;
use crate::request::Request;
use crate::store::Store;
#[cfg(feature = "tokio")]
use crate::wait::Waiter;

/// One store of ports. Cheap to clone; clones share the store.
///
/// ```
/// use port_for::PortFor;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("ports.json");
/// let ports = PortFor::open(&path)?;
/// let port = ports.forward_port("api", 8000)?;
/// // Another process, another day:
/// assert_eq!(PortFor::open(&path)?.forward_port("api", 9000)?, port);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct PortFor(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    config: Config,
}

/// An id and the port that the store remembers for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    id: String,
    port: u16,
    holder: Option<Holder>,
    last_used: Option<SystemTime>,
}

impl Assignment {
    /// What is known of the port at this moment.
    pub(crate) fn look(
        leases: &Leases,
        access: Access,
        id: &str,
        port: u16,
    ) -> Result<Self, Error> {
        Ok(Self {
            id: id.to_owned(),
            port,
            holder: leases.holder(port, access)?,
            last_used: leases.last_used(port)?,
        })
    }

    /// The id, without the namespace that `PORT_FOR_NAMESPACE` puts before it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The port, from 1 to 65535.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Who held the port when the assignments were listed; none when it was free.
    #[must_use]
    pub fn holder(&self) -> Option<&Holder> {
        self.holder.as_ref()
    }

    /// When a guard last took the port, or somebody last asked for its number (to the minute); none when there is no
    /// record of it.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let ports = port_for::PortFor::open(folder.path().join("ports.json"))?;
    /// ports.guard("api")?.release()?;
    /// let last_used = ports.assignments()?[0].last_used().unwrap();
    /// assert!(last_used.elapsed()?.as_secs() < 60);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn last_used(&self) -> Option<SystemTime> {
        self.last_used
    }
}

impl PortFor {
    /// The default store: the file that `PORT_FOR_STORE` names, else `ports.json` in the user's state folder for
    /// `port-for`, else, where there is no usable home, in a private folder among the temporary files.
    ///
    /// The environment is read once, by the first call that succeeds.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config) for an environment variable that cannot be used,
    /// [`Store`](crate::ErrorKind::Store) when there is no folder to keep the store in.
    pub fn shared() -> Result<&'static Self, Error> {
        static SHARED: OnceCell<PortFor> = OnceCell::new();
        SHARED.get_or_try_init(|| {
            let config = Config::from_env()?;
            let path = match &config.store {
                Some(path) => path.clone(),
                None => config::default_store()?,
            };
            Self::with(&path, config)
        })
    }

    /// The store at `path`. A file that is not there is an empty store, and is made by the first assignment.
    ///
    /// The environment variables hold here as well, except `PORT_FOR_STORE`.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config) for an environment variable that cannot be used,
    /// [`Store`](crate::ErrorKind::Store) for a path that names no file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::with(path.as_ref(), Config::from_env()?)
    }

    fn with(path: &Path, config: Config) -> Result<Self, Error> {
        if !config::names_file(path) {
            let error = io::Error::other("this is not the path of a file");
            return Err(files::failed("find the store", path, error));
        }
        // The working directory may change; the store does not.
        let absolute = std::path::absolute(path)
            .map_err(|error| files::failed("find the store", path, error))?;
        let store = Store::new(absolute);
        Ok(Self(Arc::new(Inner { store, config })))
    }

    /// The store's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.store.path()
    }

    /// The port of `id`: the one that it has, or `default_port` if that is free and fit, or another one. Only a
    /// number: nothing keeps others from it, as [`guard`](Self::guard) does.
    ///
    /// # Errors
    ///
    /// Those of [`Request::assign`].
    pub fn forward_port(&self, id: &str, default_port: u16) -> Result<u16, Error> {
        self.request(id).default_port(default_port).assign()
    }

    /// Asks for the port of `id`, with more to say about it.
    pub fn request<'a>(&'a self, id: &'a str) -> Request<'a> {
        Request::new(self, id)
    }

    /// Makes the port of `id` yours: assigned, leased and held at 127.0.0.1.
    ///
    /// # Errors
    ///
    /// Those of [`Request::guard`].
    pub fn guard(&self, id: &str) -> Result<PortGuard, Error> {
        self.request(id).guard()
    }

    /// Makes the ports of several ids yours, all or none. However others order the same ids, nobody waits for ever.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let ports = port_for::PortFor::open(folder.path().join("ports.json"))?;
    /// let [api, db] = ports.guards(["api", "db"])?;
    /// assert_ne!(api.port(), db.port());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Request::guard`], and [`Deadlock`](crate::ErrorKind::Deadlock) when an id is there twice.
    pub fn guards<const N: usize>(&self, ids: [&str; N]) -> Result<[PortGuard; N], Error> {
        let guards = acquire::guards(self, &ids.map(|id| self.request(id)))?;
        Ok(acquire::array(guards))
    }

    /// As [`guard`](Self::guard), for async code: see [`Request::guard_async`].
    ///
    /// # Errors
    ///
    /// Those of [`Request::guard_async`].
    #[cfg(feature = "tokio")]
    pub async fn guard_async(&self, id: &str) -> Result<PortGuard, Error> {
        self.request(id).guard_async().await
    }

    /// As [`guards`](Self::guards), for async code: see [`Request::guard_async`].
    ///
    /// # Errors
    ///
    /// Those of [`Request::guard_async`], and [`Deadlock`](crate::ErrorKind::Deadlock) when an id is there twice.
    #[cfg(feature = "tokio")]
    pub async fn guards_async<const N: usize>(
        &self,
        ids: [&str; N],
    ) -> Result<[PortGuard; N], Error> {
        let requests = ids.map(|id| self.request(id));
        let guards = acquire::guards_for(Waiter::Future, self, &requests).await?;
        Ok(acquire::array(guards))
    }

    /// A guard for `first` or the next higher port that is free; 0 stands for the first that needs no privileges. It
    /// has no id, and nothing is remembered.
    ///
    /// # Errors
    ///
    /// [`Exhausted`](crate::ErrorKind::Exhausted) when no port from `first` on is free, and those of
    /// [`Request::guard`].
    pub fn available_port(&self, first: u16) -> Result<PortGuard, Error> {
        acquire::available_port(self, first)
    }

    /// Forgets the port of `id`, and tells which it was; none if it had none.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let ports = port_for::PortFor::open(folder.path().join("ports.json"))?;
    /// let port = ports.forward_port("api", 8000)?;
    /// assert_eq!(ports.release("api")?, Some(port));
    /// assert_eq!(ports.release("api")?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Busy`](crate::ErrorKind::Busy) while somebody holds the port, [`InvalidId`](crate::ErrorKind::InvalidId),
    /// [`Store`](crate::ErrorKind::Store), [`Corrupt`](crate::ErrorKind::Corrupt).
    pub fn release(&self, id: &str) -> Result<Option<u16>, Error> {
        forget::release(self, id)
    }

    /// What the store remembers, sorted by id, with who holds each port at this moment.
    ///
    /// With a namespace, only the assignments in it; without one, all, under the names that they have in the store.
    ///
    /// # Errors
    ///
    /// [`Store`](crate::ErrorKind::Store), [`Corrupt`](crate::ErrorKind::Corrupt).
    pub fn assignments(&self) -> Result<Vec<Assignment>, Error> {
        let store = self.store();
        let Some(access) = store.access()? else {
            return Ok(Vec::new());
        };
        store
            .snapshot()?
            .iter()
            .filter_map(|(key, port)| Some((self.id_of(key)?, port)))
            .map(|(id, port)| Assignment::look(store.leases(), access, id, port))
            .collect()
    }

    /// Forgets the assignments that were not [used](Assignment::last_used) for that long, and tells which.
    ///
    /// One that is held is in use, however long ago it was taken, and stays. One without a record of its last use
    /// counts as used now. Lease files that nobody needs any more are removed along the way.
    ///
    /// With a namespace, only the assignments in it; without one, all.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let ports = port_for::PortFor::open(folder.path().join("ports.json"))?;
    /// ports.forward_port("old", 8000)?;
    /// let api = ports.guard("api")?;
    /// assert!(ports.prune(Duration::from_secs(60))?.is_empty());
    ///
    /// let forgotten = ports.prune(Duration::ZERO)?;
    /// assert_eq!(forgotten[0].id(), "old");
    /// assert_eq!(ports.assignments()?[0].port(), api.port());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Store`](crate::ErrorKind::Store), [`Corrupt`](crate::ErrorKind::Corrupt).
    pub fn prune(&self, unused_for: Duration) -> Result<Vec<Assignment>, Error> {
        forget::prune(self, unused_for)
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    /// What the store calls `id`.
    pub(crate) fn key(&self, id: &str) -> Result<String, Error> {
        id::key(self.0.config.namespace.as_deref(), id)
    }

    /// What the id is that the store calls `key`; none if it is of another namespace.
    pub(crate) fn id_of<'a>(&self, key: &'a str) -> Option<&'a str> {
        match &self.0.config.namespace {
            Some(namespace) => key.strip_prefix(namespace.as_str())?.strip_prefix('#'),
            None => Some(key),
        }
    }
}
