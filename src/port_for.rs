//! `PortFor`: one store, and what can be asked of it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use once_cell::sync::OnceCell;

use crate::acquire::{self, forget};
use crate::ask::{Ask, Subject};
use crate::context::Context;
use crate::error::{Cause, Error};
use crate::guard::PortGuard;
use crate::request::Request;
use crate::store::Assignment;
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
pub struct PortFor(Arc<Context>);

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
        SHARED.get_or_try_init(|| Context::from_env().map(Self::of))
    }

    /// The store at `path`. A missing file is an empty store; the first assignment creates it.
    ///
    /// The other environment variables apply here too; `PORT_FOR_STORE` does not.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config) for an environment variable that cannot be used,
    /// [`Store`](crate::ErrorKind::Store) for a path that names no file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Context::open(path.as_ref()).map(Self::of)
    }

    fn of(context: Context) -> Self {
        Self(Arc::new(context))
    }

    /// The store's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.store.path()
    }

    /// The port of `id`: the one that it has, else `default_port` if that is free and allowed, else another one. This
    /// is only a number: other programs can take the port. [`guard`](Self::guard) prevents that.
    ///
    /// # Errors
    ///
    /// Those of [`Request::assign`].
    pub fn forward_port(&self, id: &str, default_port: u16) -> Result<u16, Error> {
        self.request(id).default_port(default_port).assign()
    }

    /// Begins a request for the port of `id`, to which options can be added.
    pub fn request(&self, id: &str) -> Request {
        Request::new(Arc::clone(&self.0), Ask::new(id.to_owned()))
    }

    /// Begins a request for any free port of the pool, chosen at random. It has no id, and the store does not remember
    /// it. `default_port`, `exact_port` and `on_busy` have no effect on it.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let ports = port_for::PortFor::open(folder.path().join("ports.json"))?;
    /// let guards = ports.guard_all([ports.any(), ports.any()])?;
    /// assert_ne!(guards[0].port(), guards[1].port());
    /// assert!(ports.assignments()?.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn any(&self) -> Request {
        Request::new(Arc::clone(&self.0), Ask::of(Subject::Any))
    }

    /// Begins a request for this port. It has no id, and the store does not remember it. All who ask for it take turns,
    /// and so does an id that has the port.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let ports = port_for::PortFor::open(folder.path().join("ports.json"))?;
    /// let number = ports.forward_port("api", 0)?;
    /// let guard = ports.port(number).guard()?;
    /// assert_eq!((guard.port(), guard.id()), (number, None));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn port(&self, port: u16) -> Request {
        Request::new(Arc::clone(&self.0), Ask::of(Subject::Port(port)))
    }

    /// Makes the port of `id` yours: assigned, leased and held at 127.0.0.1.
    ///
    /// # Errors
    ///
    /// Those of [`Request::guard`].
    pub fn guard(&self, id: &str) -> Result<PortGuard, Error> {
        self.request(id).guard()
    }

    /// Makes the ports of several ids yours, all or none. Calls that name the same ids in different orders do not
    /// deadlock.
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
        let asks = ids.map(|id| Ask::new(id.to_owned()));
        Ok(acquire::array(acquire::guards(&self.0, &asks)?))
    }

    /// Makes all the requested ports yours, or none, in the order of the requests; a [block](Request::block) gives a
    /// guard for each of its ports. Calls that name the same ids in different orders do not deadlock. Blocks while it
    /// waits.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let ports = port_for::PortFor::open(folder.path().join("ports.json"))?;
    /// let nodes = (0..3).map(|n| ports.request(&format!("node-{n}")));
    /// let guards = ports.guard_all(nodes)?;
    /// assert_eq!(guards.len(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`guards`](Self::guards), and [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for a request of
    /// another store.
    pub fn guard_all(
        &self,
        requests: impl IntoIterator<Item = Request>,
    ) -> Result<Vec<PortGuard>, Error> {
        acquire::guards(&self.0, &self.asks(requests)?)
    }

    /// As [`guard_all`](Self::guard_all), for async code: see [`Request::guard_async`].
    ///
    /// # Errors
    ///
    /// Those of [`guard_all`](Self::guard_all).
    #[cfg(feature = "tokio")]
    pub async fn guard_all_async(
        &self,
        requests: impl IntoIterator<Item = Request>,
    ) -> Result<Vec<PortGuard>, Error> {
        let asks = self.asks(requests)?;
        acquire::guards_for(Waiter::Future, &self.0, &asks).await
    }

    /// What the requests ask of this store.
    fn asks(&self, requests: impl IntoIterator<Item = Request>) -> Result<Vec<Ask>, Error> {
        let asks = requests.into_iter().map(|request| {
            if request.context().store.path() != self.path() {
                return Err(Cause::OtherStore {
                    id: request.id().unwrap_or_default().to_owned(),
                    store: request.context().store.path().to_owned(),
                    ours: self.path().to_owned(),
                }
                .into());
            }
            request.into_ask()
        });
        asks.collect()
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
        let asks = ids.map(|id| Ask::new(id.to_owned()));
        let guards = acquire::guards_for(Waiter::Future, &self.0, &asks).await?;
        Ok(acquire::array(guards))
    }

    /// A guard for `first` or the next higher port that is free; for 0, as [`any`](Self::any). It has no id, and the
    /// store does not remember it.
    ///
    /// # Errors
    ///
    /// [`Exhausted`](crate::ErrorKind::Exhausted) when no port from `first` on is free, and those of
    /// [`Request::guard`].
    pub fn available_port(&self, first: u16) -> Result<PortGuard, Error> {
        acquire::available_port(&self.0, first)
    }

    /// Forgets the port of `id`, and returns it; none if the id had none.
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
    /// [`Busy`](crate::ErrorKind::Busy) while the port is held, [`InvalidId`](crate::ErrorKind::InvalidId),
    /// [`Store`](crate::ErrorKind::Store), [`Corrupt`](crate::ErrorKind::Corrupt).
    pub fn release(&self, id: &str) -> Result<Option<u16>, Error> {
        forget::release(&self.0, id)
    }

    /// The assignments in the store, sorted by id, with the present holder of each port.
    ///
    /// With a namespace, only the assignments in it; without one, all, with their full names.
    ///
    /// # Errors
    ///
    /// [`Store`](crate::ErrorKind::Store), [`Corrupt`](crate::ErrorKind::Corrupt).
    pub fn assignments(&self) -> Result<Vec<Assignment>, Error> {
        let store = &self.0.store;
        let Some(access) = store.access()? else {
            return Ok(Vec::new());
        };
        store
            .snapshot()?
            .groups()
            .filter_map(|(key, ports)| Some((self.0.id_of(key)?, ports)))
            .map(|(id, ports)| Assignment::look(store.leases(), access, id, ports))
            .collect()
    }

    /// Forgets the assignments that were not [used](Assignment::last_used) for that long, and returns them.
    ///
    /// An assignment whose port is held stays. One without a record of its last use counts as used now. Lease files
    /// that are no longer needed are removed.
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
        forget::prune(&self.0, unused_for)
    }

    pub(crate) fn context(&self) -> &Arc<Context> {
        &self.0
    }
}

/// Makes all the requested ports yours, or none, in the order of the requests: `PortFor::guard_all` of their store.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let ports = port_for::PortFor::open(folder.path().join("ports.json"))?;
/// let guards = port_for::guard_all([ports.request("api"), ports.request("dns").udp()])?;
/// assert_eq!(guards.len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// Those of [`PortFor::guard_all`].
pub fn guard_all(requests: impl IntoIterator<Item = Request>) -> Result<Vec<PortGuard>, Error> {
    let requests: Vec<_> = requests.into_iter().collect();
    match requests.first() {
        Some(first) => PortFor(Arc::clone(first.context())).guard_all(requests),
        None => Ok(Vec::new()),
    }
}

/// As [`guard_all`], for async code: see [`Request::guard_async`].
///
/// # Errors
///
/// Those of [`PortFor::guard_all`].
#[cfg(feature = "tokio")]
pub async fn guard_all_async(
    requests: impl IntoIterator<Item = Request>,
) -> Result<Vec<PortGuard>, Error> {
    let requests: Vec<_> = requests.into_iter().collect();
    match requests.first() {
        Some(first) => {
            let port_for = PortFor(Arc::clone(first.context()));
            port_for.guard_all_async(requests).await
        }
        None => Ok(Vec::new()),
    }
}
