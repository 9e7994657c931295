//! The guard: an assigned port, its lease, and the socket that holds it.

use std::fmt;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::process;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::lease::Lease;
use crate::wait::{Wait, Waiter, without_pending};

mod end;
mod group;
mod hold;
mod host;
mod left;
mod ownership;
mod refusal;
mod shared_hold;
mod sibling;

pub(crate) use hold::{Hold, Refused, State, bind_udp};
pub use host::Host;
pub(crate) use left::left_by;
pub(crate) use ownership::{Ownership, Tenancy};
pub(crate) use shared_hold::{HoldOfServer, SharedHold};
use sibling::Sibling;
pub(crate) use sibling::{Beside, Held};

const CANNOT_SHUT_DOWN: &str = "its socket cannot be shut down";

/// A port that is yours. No other guard gets it, and from the moment the guard exists a socket listens on it.
///
/// [`take_listener`](Self::take_listener) hands that socket to a server in this process. [`start`](Self::start),
/// [`spawn`](Self::spawn) and [`spawn_activated`](Self::spawn_activated) start a server in a process of its own.
/// [`vacate`](Self::vacate) makes room for a server that something else starts. The port stays yours until the guard is
/// dropped, so keep the guard for as long as the server runs.
///
/// A held port accepts connections before any server runs; they wait in the socket's backlog. A successful connect does
/// not prove that the server works.
///
/// ```
/// use std::io::{Read, Write};
/// use std::net::TcpStream;
///
/// # let folder = tempfile::tempdir()?;
/// # let ports = port_for::PortFor::open(folder.path().join("ports.json"))?;
/// let mut api = ports.guard("api")?;
/// let listener = api.take_listener()?;
/// let server = std::thread::spawn(move || listener.accept()?.0.write_all(b"hello"));
///
/// let mut answer = String::new();
/// TcpStream::connect(api.addr())?.read_to_string(&mut answer)?;
/// assert_eq!(answer, "hello");
/// # server.join().unwrap()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "keep it in a named variable: `let _ = …` releases the port at once"]
pub struct PortGuard {
    id: Option<String>,
    addr: SocketAddr,
    hold: SharedHold,
    tenancy: Tenancy,
    neighbours: Option<Arc<dyn Neighbours>>,
    companions: Vec<u16>,
    /// The guards of its block.
    siblings: Option<Arc<[Sibling]>>,
}

/// The other ids of a guard's store.
pub(crate) trait Neighbours: fmt::Debug + Send + Sync {
    /// The port of an id; none if it has none.
    fn port_of(&self, id: &str) -> Result<Option<u16>, Error>;
}

impl PortGuard {
    /// How long a server that is ending may take to close its socket.
    const CLOSING: Duration = Duration::from_secs(1);

    pub(crate) fn new(id: Option<String>, hold: Hold, lease: Lease) -> Self {
        Self::with(id, hold, Ownership::Leased(lease, Vec::new()))
    }

    /// A guard for a socket that this process was started with.
    pub(crate) fn inherited(id: String, hold: Hold) -> Self {
        let process = process::id();
        Self::with(Some(id), hold, Ownership::Inherited { process })
    }

    fn with(id: Option<String>, hold: Hold, ownership: Ownership) -> Self {
        Self {
            id,
            addr: hold.addr(),
            hold: SharedHold::new(hold),
            tenancy: Tenancy::new(ownership),
            neighbours: None,
            companions: Vec::new(),
            siblings: None,
        }
    }

    /// The id that was asked for, without its namespace; none for a port without an id. The second port of a
    /// [block](crate::Request::block) `cluster` has the id `cluster+1`.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The port, from 1 to 65535.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.addr.port()
    }

    /// The address where the port is held: 127.0.0.1, unless the request named another host. For `localhost`, this is
    /// the IPv4 address.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Hands the listening socket to a server in this process. It is in blocking mode. Earlier connections are in its
    /// backlog.
    ///
    /// The port stays yours until the guard is dropped. That does not close the listener: end the server first, or it
    /// is in the way of the next test that asks for the id.
    ///
    /// # Errors
    ///
    /// [`Handoff`](crate::ErrorKind::Handoff) when the listener was taken before, or the port vacated.
    pub fn take_listener(&mut self) -> Result<TcpListener, Error> {
        const WANTED: &str = "take the listener";
        let mut hold = self.hold.lock();
        match hold.take_listener() {
            Ok(Some(listener)) => Ok(listener),
            Ok(None) => {
                let advice = match hold.state() {
                    State::Taken => "use that one, or `rearm` after closing it",
                    _ => "call `rearm` first",
                };
                Err(self.wrong_state(WANTED, hold.state(), advice))
            }
            Err(error) => Err(self.failed(WANTED, "its other sockets cannot be shut down", error)),
        }
    }

    /// As [`take_listener`](Self::take_listener), registered with the current tokio runtime.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let ports = port_for::PortFor::open(folder.path().join("ports.json"))?;
    /// # tokio::runtime::Builder::new_current_thread().enable_io().build()?.block_on(async {
    /// let mut api = ports.guard_async("api").await?;
    /// let listener = api.take_tokio_listener()?;
    /// // … axum::serve(listener, app) …
    /// # Ok::<(), port_for::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`take_listener`](Self::take_listener), and [`Handoff`](crate::ErrorKind::Handoff) outside a tokio runtime,
    /// or when the socket cannot be registered.
    ///
    /// # Panics
    ///
    /// In a tokio runtime whose I/O is not enabled.
    #[cfg(feature = "tokio")]
    #[track_caller]
    pub fn take_tokio_listener(&mut self) -> Result<tokio::net::TcpListener, Error> {
        if tokio::runtime::Handle::try_current().is_err() {
            let state = "no tokio runtime runs here".to_owned();
            let advice =
                "call it in one; of a test's attributes, `#[tokio::test]` goes below `#[port_for]`";
            return Err(self.handoff("take a tokio listener", state, advice, None));
        }
        let listener = self.take_listener()?;
        (listener.set_nonblocking(true))
            .and_then(|()| tokio::net::TcpListener::from_std(listener))
            .map_err(|error| {
                self.failed("take the listener", "tokio cannot watch its socket", error)
            })
    }

    /// Hands over the UDP socket that [`Request::udp`](crate::Request::udp) asked for. It has the port's number and is
    /// in blocking mode.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let ports = port_for::PortFor::open(folder.path().join("ports.json"))?;
    /// let mut dns = ports.request("dns").udp().guard()?;
    /// let socket = dns.take_udp_socket()?;
    /// assert_eq!(socket.local_addr()?, dns.addr());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Handoff`](crate::ErrorKind::Handoff) when it was not asked for, was taken before, or the port vacated.
    pub fn take_udp_socket(&mut self) -> Result<UdpSocket, Error> {
        const WANTED: &str = "take the UDP socket";
        let mut hold = self.hold.lock();
        hold.take_udp_socket().ok_or_else(|| {
            let (state, advice) = match hold.state() {
                _ if !hold.has_udp() => (
                    "the guard holds no UDP port",
                    "ask for it with `Request::udp`",
                ),
                state @ (State::Vacated | State::Closed) => {
                    (state.describe(), "call `rearm` first")
                }
                State::Held | State::Taken | State::Given => {
                    ("its UDP socket was already taken", "use that one")
                }
            };
            self.handoff(WANTED, state.to_owned(), advice, None)
        })
    }

    /// Stops listening, so that a server can bind the port by itself, and returns the address for the server's `--port`
    /// or configuration.
    ///
    /// On Linux the port stays bound, and connections are refused until the server listens. No other guard on this
    /// machine gets the port, no program that asks for any free port, and none that binds without `SO_REUSEADDR`. A
    /// program that names this number and sets that option can bind it. The server must set `SO_REUSEADDR` before it
    /// binds, as redis, postgres, nginx, Node, uvicorn and the standard libraries of Go and Rust do. On other systems
    /// the port is closed, and only the lease keeps other guards of this store away.
    ///
    /// A held UDP port is closed on every system, because two UDP sockets cannot share a port. A process that another
    /// thread forks at that moment keeps a copy until it runs its program, some milliseconds later. Until then, a
    /// server can be refused, and should try again. A socket that this process was started with may be open elsewhere
    /// too: it is closed, and the port is bound again at once.
    ///
    /// A second call does nothing.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let ports = port_for::PortFor::open(folder.path().join("ports.json"))?;
    /// let mut api = ports.guard("api")?;
    /// let listener = std::net::TcpListener::bind(api.vacate()?)?;
    /// assert_eq!(listener.local_addr()?, api.addr());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Handoff`](crate::ErrorKind::Handoff) when the listener was taken, or given to a child.
    pub fn vacate(&mut self) -> Result<SocketAddr, Error> {
        const WANTED: &str = "vacate the port";
        let mut hold = self.hold.lock();
        match hold.state() {
            State::Held => {
                hold.mark().map_err(|error| self.marked(WANTED, error))?;
                hold.vacate()
                    .map_err(|error| self.failed(WANTED, CANNOT_SHUT_DOWN, error))?;
            }
            State::Vacated | State::Closed => {}
            state @ State::Taken => {
                return Err(self.wrong_state(WANTED, state, "close that listener, then `rearm`"));
            }
            state @ State::Given => {
                return Err(self.wrong_state(WANTED, state, "stop that server, then `rearm`"));
            }
        }
        Ok(self.addr)
    }

    /// Closes the socket that holds the port, for a server that does not set `SO_REUSEADDR` and so cannot bind a
    /// vacated port. Returns the address, as [`vacate`](Self::vacate) does; then start the server, for example with
    /// [`spawn`](Self::spawn).
    ///
    /// The lease stays, and keeps the other guards of this store away. Until the server listens, any other program can
    /// take the port, and so can a guard of another store. After such a server has ended, connections that it closed
    /// keep the port busy for about a minute, also for [`rearm`](Self::rearm) and the next guard.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let ports = port_for::PortFor::open(folder.path().join("ports.json"))?;
    /// let mut api = ports.guard("api")?;
    /// api.close_hold()?;
    /// // let server = api.spawn(Command::new("stubborn-server").arg(api.port().to_string()))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Handoff`](crate::ErrorKind::Handoff) when the listener was taken or given to a child, or the system cannot
    /// close the socket.
    pub fn close_hold(&mut self) -> Result<SocketAddr, Error> {
        const WANTED: &str = "close the hold";
        let mut hold = self.hold.lock();
        match hold.state() {
            State::Held | State::Vacated | State::Closed => hold
                .close()
                .map(|()| self.addr)
                .map_err(|error| self.failed(WANTED, CANNOT_SHUT_DOWN, error)),
            state @ (State::Taken | State::Given) => {
                Err(self.wrong_state(WANTED, state, "there is nothing left to close"))
            }
        }
    }

    /// Holds the port again after its server has stopped, so that the next server gets the same port.
    ///
    /// Does nothing if the guard holds its port. Blocks the thread for up to a second while a server is still ending.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let ports = port_for::PortFor::open(folder.path().join("ports.json"))?;
    /// let mut api = ports.guard("api")?;
    /// for _ in 0..2 {
    ///     let server = api.take_listener()?;
    ///     drop(server);
    ///     api.rearm()?;
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Handoff`](crate::ErrorKind::Handoff) when the port is still taken after a second: by the server, or a listener
    /// or UDP socket that was taken. The guard is then unchanged.
    pub fn rearm(&mut self) -> Result<(), Error> {
        without_pending(self.rearm_by(Waiter::Thread))
    }

    /// As [`rearm`](Self::rearm), for async code: while it waits for a server to close its socket, the thread is free for
    /// other tasks.
    ///
    /// # Errors
    ///
    /// Those of [`rearm`](Self::rearm).
    #[cfg(feature = "tokio")]
    pub async fn rearm_async(&mut self) -> Result<(), Error> {
        self.rearm_by(Waiter::Future).await
    }

    async fn rearm_by(&mut self, waiter: Waiter) -> Result<(), Error> {
        // A server may still be on its way out, and so may a child that a sibling thread has forked, with a copy of what
        // was just closed, until it executes its program; on a busy machine that takes a while.
        let mut wait = Wait::of(waiter, Self::CLOSING);
        loop {
            let rearmed = self.hold.lock().rearm();
            match rearmed {
                Ok(()) => return Ok(()),
                Err(refused) if refused.is_taken() && wait.rest().await => {}
                Err(refused) => {
                    let state = self.hold.lock().state();
                    return Err(self.not_rearmed(state, refused));
                }
            }
        }
    }

    pub(crate) fn hold(&self) -> &SharedHold {
        &self.hold
    }

    /// A share in the lease, which lasts until guard and server have both ended.
    pub(crate) fn tenancy(&self) -> Tenancy {
        self.tenancy.clone()
    }

    pub(crate) fn set_neighbours(&mut self, neighbours: Arc<dyn Neighbours>) {
        self.neighbours = Some(neighbours);
    }

    pub(crate) fn neighbours(&self) -> Option<&Arc<dyn Neighbours>> {
        self.neighbours.as_ref()
    }

    /// The locks of its leases, which a program inherits; none if another process has the leases.
    #[cfg(all(unix, feature = "cli"))]
    pub(crate) fn locks(&self) -> Vec<&crate::lease::Lock> {
        self.tenancy.locks()
    }
}

/// The port number, so that a guard can be formatted in place of a number.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let ports = port_for::PortFor::open(folder.path().join("ports.json"))?;
/// let api = ports.guard("api")?;
/// assert_eq!(format!("--port={api}"), format!("--port={}", api.port()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl fmt::Display for PortGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.port().fmt(f)
    }
}

impl fmt::Debug for PortGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PortGuard")
            .field("id", &self.id)
            .field("addr", &self.addr)
            .field("state", &self.hold.lock().state().describe())
            .finish_non_exhaustive()
    }
}
