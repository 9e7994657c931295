//! What is asked for: an id and the ways to have its port.

use std::sync::Arc;
use std::time::Duration;

use crate::acquire;
use crate::ask::{Ask, OnBusy, Preference};
use crate::context::Context;
use crate::error::{Cause, Error, ErrorKind, ParseHostError};
use crate::guard::{Host, PortGuard};
use crate::ports::PortSet;
use crate::server::{Server, ServerCommand};
use crate::shared::{self, SharedServer};
use crate::wait::{Waiter, without_pending};

/// A request for a port, with options. Made by [`PortFor::request`](crate::PortFor::request).
///
/// ```
/// use std::time::Duration;
///
/// # let folder = tempfile::tempdir()?;
/// # let ports = port_for::PortFor::open(folder.path().join("ports.json"))?;
/// let api = ports
///     .request("api")
///     .ports("24000-24999".parse()?)
///     .timeout(Duration::from_secs(5))
///     .guard()?;
/// assert!((24000..=24999).contains(&api.port()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a request does nothing before `assign` or `guard`"]
pub struct Request {
    context: Arc<Context>,
    ask: Ask,
    /// Reported when the request is used, so that requests can be built in one expression.
    bad_host: Option<ParseHostError>,
}

impl Request {
    pub(crate) fn new(context: Arc<Context>, ask: Ask) -> Self {
        Self {
            context,
            ask,
            bad_host: None,
        }
    }

    pub(crate) fn id(&self) -> Option<&str> {
        self.ask.id()
    }

    /// The store that is asked.
    pub(crate) fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// The plain data of it.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for a host that is none.
    pub(crate) fn into_ask(self) -> Result<Ask, Error> {
        match self.bad_host {
            None => Ok(self.ask),
            Some(source) => Err(Cause::UnknownHost {
                id: self.ask.id().unwrap_or_default().to_owned(),
                source,
            }
            .into()),
        }
    }

    /// Suggests a port for an id that has none yet. If that port is taken, belongs to another id, or is below 1024, the
    /// id gets one from the pool. 0 suggests nothing.
    pub fn default_port(mut self, port: u16) -> Self {
        self.ask.prefer(port);
        self
    }

    /// Demands this port. It is recorded without the namespace, so checkouts take turns on it, and even if the port is
    /// in use. If the id has another port, or another id has this one, that is an error. If the system gives this port
    /// to outgoing connections, stderr has a warning.
    pub fn exact_port(mut self, port: u16) -> Self {
        self.ask.preference = Preference::Exact(port);
        self
    }

    /// The ports to choose from for an id that has none yet, instead of the pool. An id that has a port keeps it.
    pub fn ports(mut self, ports: PortSet) -> Self {
        self.ask.ports = Some(ports);
        self
    }

    /// Where to hold the port, instead of 127.0.0.1: an IPv4 or IPv6 address of this machine, a wildcard, or
    /// `localhost`. Anything else is an error when the request is used.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let ports = port_for::PortFor::open(folder.path().join("ports.json"))?;
    /// let api = ports.request("api").host("localhost").guard()?;
    /// assert!(std::net::TcpListener::bind(("127.0.0.1", api.port())).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn host<H>(mut self, host: H) -> Self
    where
        H: TryInto<Host, Error: Into<ParseHostError>>,
    {
        match host.try_into() {
            Ok(host) => (self.ask.host, self.bad_host) = (host, None),
            Err(error) => self.bad_host = Some(error.into()),
        }
        self
    }

    /// Holds the UDP port of the same number as well; [`PortGuard::take_udp_socket`] hands it over.
    pub fn udp(mut self) -> Self {
        self.ask.udp = true;
        self
    }

    /// How long to wait for a port that is taken, instead of `PORT_FOR_TIMEOUT`. The minimum is ten milliseconds:
    /// another process that only looks at the port can take that long.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.ask.timeout = Some(timeout);
        self
    }

    /// What to do when the port is taken.
    pub fn on_busy(mut self, on_busy: OnBusy) -> Self {
        self.ask.on_busy = on_busy;
        self
    }

    /// Asks for this many consecutive ports, 1 to 1,000, under one id. They are assigned in one write, and leased and
    /// held all or none. [`guards`](Self::guards) makes them yours. In the store the others are called `cluster+1`,
    /// `cluster+2` and so on; everywhere else the id is `cluster`.
    ///
    /// An id that has fewer ports already keeps the first, and gets the ones behind it if they are free.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let ports = port_for::PortFor::open(folder.path().join("ports.json"))?;
    /// let nodes = ports.request("cluster").block(3).guards()?;
    /// assert_eq!(nodes[2].port(), nodes[0].port() + 2);
    /// assert_eq!(ports.assignments()?.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn block(mut self, ports: u16) -> Self {
        self.ask.group.block = ports;
        self
    }

    /// For the port, or each port of the [block](Self::block), also asks for the port this much higher. A redis node in
    /// a cluster listens on its port and on the one 10,000 above. Companions need not be in the pool, and are never
    /// ports that the system gives to outgoing connections.
    ///
    /// A guard owns its [companions](PortGuard::companions): they are held and vacated with its own port.
    pub fn companions(mut self, offsets: impl IntoIterator<Item = u16>) -> Self {
        self.ask.group.companions = offsets.into_iter().collect();
        self
    }

    /// The id's port, which is assigned if the id has none. This is only a number: other programs can take the port.
    ///
    /// # Errors
    ///
    /// [`InvalidId`](crate::ErrorKind::InvalidId), [`Store`](crate::ErrorKind::Store),
    /// [`Corrupt`](crate::ErrorKind::Corrupt), [`Conflict`](crate::ErrorKind::Conflict) with an exact port, and
    /// [`Exhausted`](crate::ErrorKind::Exhausted). For a [block](Self::block), this is the first port, and
    /// [`Exhausted`](crate::ErrorKind::Exhausted) says how large a block would fit.
    pub fn assign(self) -> Result<u16, Error> {
        let context = Arc::clone(&self.context);
        let ports = acquire::numbers(&context, &[self.into_ask()?])?;
        Ok(ports[0])
    }

    /// Makes the port yours: assigned, leased and held. Blocks the thread while it waits; in async code, use
    /// `guard_async` (feature `tokio`).
    ///
    /// # Errors
    ///
    /// Those of [`assign`](Self::assign), and [`Busy`](crate::ErrorKind::Busy) when a live holder did not release it in
    /// time, [`Occupied`](crate::ErrorKind::Occupied) when a process without a lease listens there,
    /// [`Deadlock`](crate::ErrorKind::Deadlock) when this thread holds the port already, and
    /// [`Bind`](crate::ErrorKind::Bind) when the system does not allow it, or the host is neither an address nor
    /// `localhost`. [`Conflict`](crate::ErrorKind::Conflict) when a [block](Self::block) is asked for, or the id has
    /// one.
    pub fn guard(self) -> Result<PortGuard, Error> {
        let (context, ask) = (Arc::clone(&self.context), self.into_single()?);
        let [guard] = acquire::array(acquire::guards(&context, &[ask])?);
        Ok(guard)
    }

    /// Makes all the ports of the [block](Self::block) yours, or none: a guard for each, in order. Blocks while it waits.
    ///
    /// # Errors
    ///
    /// Those of [`guard`](Self::guard), [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for a block or companions that
    /// cannot be, and [`Conflict`](crate::ErrorKind::Conflict) when the id has other ports already.
    pub fn guards(self) -> Result<Vec<PortGuard>, Error> {
        let (context, ask) = (Arc::clone(&self.context), self.into_ask()?);
        acquire::guards(&context, &[ask])
    }

    /// As [`guards`](Self::guards), for async code: see [`guard_async`](Self::guard_async).
    ///
    /// # Errors
    ///
    /// Those of [`guards`](Self::guards).
    #[cfg(feature = "tokio")]
    pub async fn guards_async(self) -> Result<Vec<PortGuard>, Error> {
        let (context, asks) = (Arc::clone(&self.context), [self.into_ask()?]);
        acquire::guards_for(Waiter::Future, &context, &asks).await
    }

    /// The plain data, for one guard.
    fn into_single(self) -> Result<Ask, Error> {
        let ask = self.into_ask()?;
        if ask.group.block > 1 {
            let id = ask.id().map(str::to_owned);
            let subject = match &id {
                Some(id) => format!("`{id}` is asked for as {}", ask.group),
                None => format!("{} is asked for", ask.group),
            };
            return Err(Cause::Group {
                kind: ErrorKind::Conflict,
                id,
                what: format!("{subject}, and a guard has one port: use `guards()`"),
                release: None,
            }
            .into());
        }
        Ok(ask)
    }

    /// Starts a server that owns its port, so you need not keep a guard. With a [block](Self::block), it starts on the
    /// first port and owns all of them. Blocks the thread.
    ///
    /// ```no_run
    /// use port_for::{PortFor, ServerCommand};
    ///
    /// let redis = ServerCommand::new("redis-server").args(["--port", "{port}"]);
    /// let server = PortFor::shared()?.request("redis").start(&redis)?;
    /// println!("redis://{}", server.addr());
    /// # Ok::<(), port_for::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`guard`](Self::guard) and [`PortGuard::start`].
    pub fn start(self, command: &ServerCommand) -> Result<Server, Error> {
        let mut guards = self.guards()?;
        Ok(guards[0].start(command)?.owning(guards))
    }

    /// As [`start`](Self::start), for async code.
    ///
    /// # Errors
    ///
    /// Those of [`guard_async`](Self::guard_async) and [`PortGuard::start`].
    #[cfg(feature = "tokio")]
    pub async fn start_async(self, command: &ServerCommand) -> Result<Server, Error> {
        let mut guards = self.guards_async().await?;
        Ok(guards[0].start_async(command).await?.owning(guards))
    }

    /// One server for all tests of a run, in any number of processes. The first user starts it, and the others get it
    /// when it is ready. After the [linger](Self::linger) time without a user, it is stopped as its command says.
    /// Blocks the thread.
    ///
    /// It belongs to a process of its own, the keeper, which is this program, run again. No test runner waits for the
    /// keeper, and it ends by itself.
    ///
    /// The server is found by its id and store. A user whose command differs from that of the running server, or whose
    /// program was rebuilt, gets a new server if there is no other user. The server gets the first user's environment,
    /// without variables that begin with `NEXTEST`, `CARGO`, `LISTEN_` or `PORT_FOR_`. Unless its command has a
    /// [`current_dir`](ServerCommand::current_dir), it runs in its private folder. Its output goes to
    /// [`SharedServer::output`], wherever the command sends it.
    ///
    /// ```no_run
    /// use port_for::{PortFor, ServerCommand};
    ///
    /// let redis = ServerCommand::new("redis-server").args(["--port", "{port}", "--save", ""]);
    /// let server = PortFor::shared()?.request("redis").start_shared(&redis)?;
    /// println!("redis://{}", server.addr());
    /// # Ok::<(), port_for::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`start`](Self::start); if a start fails, all users that wait for it get the same error, and the next
    /// user tries again. [`Conflict`](crate::ErrorKind::Conflict) while others use a server that was started by another
    /// command, [`NotStarted`](crate::ErrorKind::NotStarted) when the keeper cannot be run,
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) without an id, and
    /// [`Unsupported`](crate::ErrorKind::Unsupported) on Windows.
    pub fn start_shared(self, command: &ServerCommand) -> Result<SharedServer, Error> {
        without_pending(self.start_shared_by(Waiter::Thread, command))
    }

    /// As [`start_shared`](Self::start_shared), for async code.
    ///
    /// # Errors
    ///
    /// Those of [`start_shared`](Self::start_shared).
    #[cfg(feature = "tokio")]
    pub async fn start_shared_async(self, command: &ServerCommand) -> Result<SharedServer, Error> {
        self.start_shared_by(Waiter::Future, command).await
    }

    async fn start_shared_by(
        self,
        waiter: Waiter,
        command: &ServerCommand,
    ) -> Result<SharedServer, Error> {
        let context = Arc::clone(&self.context);
        shared::join_for(waiter, &context, &self.into_ask()?, command).await
    }

    /// How long a [shared server](Self::start_shared) lives on after its last user, instead of `PORT_FOR_LINGER` or ten
    /// seconds. If its users ask for different times, the longest applies.
    pub fn linger(mut self, time: Duration) -> Self {
        self.ask.linger = Some(time);
        self
    }

    /// As [`guard`](Self::guard), for async code: while it waits, the thread is free for other tasks, under any
    /// runtime.
    ///
    /// Dropping the future cancels the request.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let ports = port_for::PortFor::open(folder.path().join("ports.json"))?;
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let first = ports.guard_async("api").await?;
    /// let user = tokio::spawn(async move { drop(first) });
    /// let second = ports.request("api").host("localhost").guard_async().await?;
    /// # user.await.unwrap();
    /// # Ok::<(), port_for::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`guard`](Self::guard), except [`Deadlock`](crate::ErrorKind::Deadlock): another task can release the
    /// port while this one waits.
    #[cfg(feature = "tokio")]
    pub async fn guard_async(self) -> Result<PortGuard, Error> {
        let (context, asks) = (Arc::clone(&self.context), [self.into_single()?]);
        let guards = acquire::guards_for(Waiter::Future, &context, &asks).await?;
        let [guard] = acquire::array(guards);
        Ok(guard)
    }
}
