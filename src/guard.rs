//! The guard: an assigned port, its lease, and the socket that holds it.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};

use crate::error::{Cause, Error};
use crate::lease::Lease;
use crate::occupant::Occupants;
use crate::socket::{Hold, is_taken};

/// A port that is yours: nobody else on the machine gets it from any store shared with you, and from the moment the
/// guard exists a listening socket sits on it.
///
/// Give that socket to the server under test with [`take_listener`](Self::take_listener), or let a server that binds
/// by itself have the port with [`vacate`](Self::vacate). The port stays yours until the guard is dropped, so keep the
/// guard for as long as the server runs.
///
/// A held port accepts connections before any server runs: they wait in the socket's backlog. That a client can
/// connect says nothing yet about the server.
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
#[must_use = "the port is released when the guard is dropped"]
pub struct PortGuard {
    id: String,
    addr: SocketAddr,
    state: State,
    lease: Lease,
}

#[derive(Debug)]
enum State {
    /// Our socket listens.
    Held(Hold),
    /// Our socket was given away.
    Taken,
    /// A server may listen; our socket is still bound where the system lets it be.
    Vacated(Option<Hold>),
}

impl State {
    /// For messages: a sentence about the guard.
    fn describe(&self) -> &'static str {
        match self {
            Self::Held(_) => "the guard holds the port",
            Self::Taken => "its listener was already taken",
            Self::Vacated(_) => "the guard has vacated the port",
        }
    }
}

impl PortGuard {
    pub(crate) fn new(id: String, addr: SocketAddr, hold: Hold, lease: Lease) -> Self {
        Self {
            id,
            addr,
            state: State::Held(hold),
            lease,
        }
    }

    /// The id that the port was asked for by, without its namespace; `-` for one from
    /// [`available_port`](crate::available_port).
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The port, from 1 to 65535.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.addr.port()
    }

    /// The port and the host that it is held at: 127.0.0.1, unless the request said otherwise.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Hands the listening socket over, to a server in this process. It is in blocking mode; connections that came
    /// in before are in its backlog.
    ///
    /// The port stays yours until the guard is dropped, which does not close the listener: end the server first, or
    /// the next one who asks for the id meets it there.
    ///
    /// # Errors
    ///
    /// [`Handoff`](crate::ErrorKind::Handoff) when the listener was taken before, or the port vacated.
    pub fn take_listener(&mut self) -> Result<TcpListener, Error> {
        match std::mem::replace(&mut self.state, State::Taken) {
            State::Held(hold) => Ok(hold.into()),
            state => {
                self.state = state;
                let advice = match self.state {
                    State::Vacated(_) => "call `rearm` first",
                    _ => "use that one, or `rearm` after closing it",
                };
                Err(self.wrong_state("take the listener", advice))
            }
        }
    }

    /// Stops listening, so that a server can bind the port by itself, and tells where: its `--port` or its
    /// configuration comes from here.
    ///
    /// On Linux the port stays bound meanwhile: nobody who is not told gets it, not even by asking for any port, and
    /// connections are refused until the server listens. The server must set `SO_REUSEADDR` before it binds, as
    /// servers do (redis, postgres, nginx, Node, uvicorn, Go's and Rust's standard libraries). On other systems the
    /// port is let go, and only the lease keeps those away who ask this crate.
    ///
    /// On a guard that has vacated already, it does nothing.
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
    /// [`Handoff`](crate::ErrorKind::Handoff) when the listener was taken.
    pub fn vacate(&mut self) -> Result<SocketAddr, Error> {
        const WANTED: &str = "vacate the port";
        match std::mem::replace(&mut self.state, State::Vacated(None)) {
            State::Held(hold) => {
                let quiesced = hold.quiesce();
                self.state = State::Vacated(Hold::KEEPS_ITS_PORT.then_some(hold));
                quiesced.map_err(|error| {
                    self.handoff_failed(WANTED, "its socket cannot be shut down", error)
                })?;
                Ok(self.addr)
            }
            State::Vacated(hold) => {
                self.state = State::Vacated(hold);
                Ok(self.addr)
            }
            State::Taken => {
                self.state = State::Taken;
                Err(self.wrong_state(WANTED, "close that listener, then `rearm`"))
            }
        }
    }

    /// Holds the port again, after the server that had it has stopped: the next one gets the same port.
    ///
    /// On a guard that holds its port, it does nothing.
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
    /// [`Handoff`](crate::ErrorKind::Handoff) while somebody still listens there: the server, or a listener that was
    /// taken.
    pub fn rearm(&mut self) -> Result<(), Error> {
        const WANTED: &str = "hold the port again";
        let rearmed = match std::mem::replace(&mut self.state, State::Taken) {
            State::Vacated(Some(hold)) => match hold.listen_again() {
                Ok(()) => Ok(hold),
                Err(error) => Err((error, State::Vacated(Some(hold)))),
            },
            State::Held(hold) => Ok(hold),
            state => Hold::listen(self.addr).map_err(|error| (error, state)),
        };
        match rearmed {
            Ok(hold) => {
                self.state = State::Held(hold);
                Ok(())
            }
            Err((error, state)) => {
                self.state = state;
                let state = if is_taken(&error) {
                    let occupants = Occupants::of(self.port());
                    format!(
                        "{}, and somebody listens there: {occupants}",
                        self.state.describe()
                    )
                } else {
                    self.state.describe().to_owned()
                };
                Err(self.handoff(WANTED, state, "stop that server first", Some(error)))
            }
        }
    }

    /// Gives the port up, and tells of a failure to; a drop does the same silently.
    ///
    /// The assignment stays: the id has the same port the next time.
    ///
    /// # Errors
    ///
    /// [`Handoff`](crate::ErrorKind::Handoff) or [`Store`](crate::ErrorKind::Store) when the system cannot close the
    /// socket or unlock the lease. Both are gone all the same once this process has ended.
    pub fn release(mut self) -> Result<(), Error> {
        self.end()
    }

    /// Lets go of the socket, then of the lease: in the other order, the next holder could find the port taken.
    fn end(&mut self) -> Result<(), Error> {
        if !self.lease.is_ours() {
            // A forked child: socket and lease are its parent's. Its copies are closed, no more.
            return Ok(());
        }
        let closed = match std::mem::replace(&mut self.state, State::Taken) {
            State::Held(hold) => hold.close().map_err(|error| {
                self.handoff_failed("release the port", "its socket cannot be shut down", error)
            }),
            State::Taken | State::Vacated(_) => Ok(()),
        };
        closed.and(self.lease.release())
    }

    fn wrong_state(&self, wanted: &'static str, advice: &'static str) -> Error {
        self.handoff(wanted, self.state.describe().to_owned(), advice, None)
    }

    fn handoff_failed(&self, wanted: &'static str, state: &str, error: io::Error) -> Error {
        let state = format!("{state}: {error}");
        self.handoff(wanted, state, "drop the guard and ask again", Some(error))
    }

    fn handoff(
        &self,
        wanted: &'static str,
        state: String,
        advice: &'static str,
        source: Option<io::Error>,
    ) -> Error {
        Cause::Handoff {
            wanted,
            id: self.id.clone(),
            port: self.port(),
            state,
            advice,
            source,
        }
        .into()
    }
}

impl Drop for PortGuard {
    fn drop(&mut self) {
        // Nobody is there to be told; `release` is for those who want to know.
        let _ = self.end();
    }
}

impl fmt::Debug for PortGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PortGuard")
            .field("id", &self.id)
            .field("addr", &self.addr)
            .field("state", &self.state.describe())
            .finish_non_exhaustive()
    }
}
