//! What is asked for: an id and the ways to have its port.

use std::time::Duration;

use crate::acquire;
use crate::error::Error;
use crate::guard::PortGuard;
use crate::host::Host;
use crate::port_for::PortFor;
use crate::ports::PortSet;
#[cfg(feature = "tokio")]
use crate::wait::Waiter;

/// A port to ask for, with more to say about it than its id. Made by [`PortFor::request`].
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
pub struct Request<'a> {
    pub(crate) port_for: &'a PortFor,
    pub(crate) id: &'a str,
    pub(crate) wish: Wish,
    pub(crate) ports: Option<PortSet>,
    pub(crate) host: Host,
    pub(crate) udp: bool,
    pub(crate) timeout: Duration,
    pub(crate) on_busy: OnBusy,
}

/// The port that an id should have when it gets its first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// The first free one of the id's own order.
    Any,
    /// This one if it is free and fit.
    Default(u16),
    /// This one.
    Exact(u16),
}

/// What to do when the port is somebody else's at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OnBusy {
    /// Wait for it until the timeout.
    #[default]
    Wait,
    /// Give up at once, whatever the timeout: after ten milliseconds.
    Fail,
    /// Let a stranger who listens on the port have it: the id is assigned another port, which is said on stderr.
    ///
    /// A live holder of the id is waited for all the same, since two of them must never be; and an
    /// [exact](Request::exact_port) port is not moved.
    Move,
}

impl<'a> Request<'a> {
    pub(crate) fn new(port_for: &'a PortFor, id: &'a str) -> Self {
        Self {
            port_for,
            id,
            wish: Wish::Any,
            ports: None,
            host: Host::default(),
            udp: false,
            timeout: port_for.config().timeout,
            on_busy: OnBusy::default(),
        }
    }

    /// Suggests a port for an id that has none yet. If it is taken, another id's, or below 1024, the id gets one from
    /// the pool. 0 suggests nothing.
    pub fn default_port(mut self, port: u16) -> Self {
        self.wish = if port == 0 {
            Wish::Any
        } else {
            Wish::Default(port)
        };
        self
    }

    /// Demands a port. It is recorded even if it is in use at the moment; that the id has another port, or another id
    /// this one, is an error.
    pub fn exact_port(mut self, port: u16) -> Self {
        self.wish = Wish::Exact(port);
        self
    }

    /// The ports to choose from for an id that has none yet, instead of the pool. An id that has a port keeps it.
    pub fn ports(mut self, ports: PortSet) -> Self {
        self.ports = Some(ports);
        self
    }

    /// Where to hold the port, instead of 127.0.0.1: an address of this machine, of either family, a wildcard, or
    /// `localhost`.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let ports = port_for::PortFor::open(folder.path().join("ports.json"))?;
    /// let api = ports.request("api").host("localhost").guard()?;
    /// assert!(std::net::TcpListener::bind(("127.0.0.1", api.port())).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn host(mut self, host: impl Into<Host>) -> Self {
        self.host = host.into();
        self
    }

    /// Holds the UDP port of the same number as well; [`PortGuard::take_udp_socket`] hands it over.
    pub fn udp(mut self) -> Self {
        self.udp = true;
        self
    }

    /// How long to wait for a port that somebody else has, instead of `PORT_FOR_TIMEOUT`. Less than ten milliseconds
    /// count as ten, for a mere glance of somebody else at the port can take that long.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// What to do when the port is somebody else's at the moment.
    pub fn on_busy(mut self, on_busy: OnBusy) -> Self {
        self.on_busy = on_busy;
        self
    }

    /// Finds out the id's port, assigning one if it has none. Only a number: nothing keeps others from it.
    ///
    /// # Errors
    ///
    /// [`InvalidId`](crate::ErrorKind::InvalidId), [`Store`](crate::ErrorKind::Store),
    /// [`Corrupt`](crate::ErrorKind::Corrupt), [`Conflict`](crate::ErrorKind::Conflict) with an exact port, and
    /// [`Exhausted`](crate::ErrorKind::Exhausted).
    pub fn assign(self) -> Result<u16, Error> {
        let port_for = self.port_for;
        let ports = acquire::numbers(port_for, &[self])?;
        Ok(ports[0])
    }

    /// Makes the port yours: assigned, leased and held. A wait stops the thread; for async code there is `guard_async`
    /// (feature `tokio`).
    ///
    /// # Errors
    ///
    /// Those of [`assign`](Self::assign), and [`Busy`](crate::ErrorKind::Busy) when a live holder did not let go in
    /// time, [`Occupied`](crate::ErrorKind::Occupied) when a stranger listens there,
    /// [`Deadlock`](crate::ErrorKind::Deadlock) when this thread holds the port already, and
    /// [`Bind`](crate::ErrorKind::Bind) when the system does not allow it, or the host is neither an address nor
    /// `localhost`.
    pub fn guard(self) -> Result<PortGuard, Error> {
        let port_for = self.port_for;
        let [guard] = acquire::array(acquire::guards(port_for, &[self])?);
        Ok(guard)
    }

    /// As [`guard`](Self::guard), for async code: while it waits, the thread is free for other tasks, whatever runtime
    /// it is that runs them.
    ///
    /// Dropping the future gives the request up.
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
    /// Those of [`guard`](Self::guard), except [`Deadlock`](crate::ErrorKind::Deadlock): whatever part of the program
    /// holds the port may let it go while this waits.
    #[cfg(feature = "tokio")]
    pub async fn guard_async(self) -> Result<PortGuard, Error> {
        let port_for = self.port_for;
        let guards = acquire::guards_for(Waiter::Future, port_for, &[self]).await?;
        let [guard] = acquire::array(guards);
        Ok(guard)
    }
}
