//! The sockets that a guard keeps on its port, and the states that they go through.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

use crate::marker::{self, Marker};
use crate::socket::{self, Listener};
use crate::who::Protocol;

/// What became of the listening socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Ours listens.
    Held,
    /// It was given to this process.
    Taken,
    /// It was given to a child.
    #[cfg_attr(not(unix), expect(dead_code, reason = "no child can be given one"))]
    Given,
    /// A server may bind the port; our socket is still bound where the system lets it be.
    Vacated,
    /// A server may bind the port, and nothing of ours is there.
    Closed,
}

impl State {
    /// For messages: a sentence about the guard.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Held => "the guard holds the port",
            Self::Taken => "its listener was already taken",
            Self::Given => "its listener was given to a child process",
            Self::Vacated => "the guard has vacated the port",
            Self::Closed => "the guard has closed its hold",
        }
    }
}

/// A socket that the system refused.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) addr: SocketAddr,
    pub(crate) protocol: Protocol,
    pub(crate) source: io::Error,
}

impl Refused {
    /// Whether the port is taken.
    pub(crate) fn is_taken(&self) -> bool {
        socket::is_taken(&self.source)
    }
}

/// What holds the port: at one address, or at several if the host stands for several.
#[derive(Debug)]
pub(crate) struct Hold {
    /// While the port is vacated. It goes before the sockets do, so that the next holder can set its own.
    marker: Option<Marker>,
    state: State,
    /// The first is the one that is handed over.
    places: Vec<Place>,
    /// How many servers have been started on the port.
    pub(super) servers: u64,
    /// Whether this process was started with the socket: its starter may have marked the port, for itself and for us.
    inherited: bool,
    /// The system's number of the listener that was taken.
    taken: Option<u64>,
    /// The ports that go with this one: held while it is held or taken, and vacated with it.
    companions: Vec<Hold>,
}

#[derive(Debug)]
struct Place {
    addr: SocketAddr,
    tcp: Option<Listener>,
    udp: Udp,
}

#[derive(Debug)]
enum Udp {
    NotAsked,
    Held(UdpSocket),
    Gone,
}

/// The UDP port of the address.
pub(crate) fn bind_udp(addr: SocketAddr) -> Result<UdpSocket, Refused> {
    socket::bind_udp(addr).map_err(|source| Refused {
        addr,
        protocol: Protocol::Udp,
        source,
    })
}

impl Place {
    fn bind(addr: SocketAddr, udp: bool) -> Result<Self, Refused> {
        Ok(Self {
            addr,
            tcp: Some(Self::listen(addr, false)?),
            udp: if udp {
                Udp::Held(bind_udp(addr)?)
            } else {
                Udp::NotAsked
            },
        })
    }

    fn listen(addr: SocketAddr, marked: bool) -> Result<Listener, Refused> {
        Listener::bind(addr, marked).map_err(|source| Refused {
            addr,
            protocol: Protocol::Tcp,
            source,
        })
    }

    fn quiesce(&mut self) -> io::Result<()> {
        if let Some(listener) = self.tcp.take() {
            self.tcp = listener.quiesce()?;
        }
        Ok(())
    }

    fn close_udp(&mut self) {
        if let Udp::Held(_) = self.udp {
            self.udp = Udp::Gone;
        }
    }

    /// Which sockets there are, whatever they do: of TCP, and of UDP.
    fn sockets(&self) -> (bool, bool) {
        (self.tcp.is_some(), matches!(self.udp, Udp::Held(_)))
    }

    /// Both protocols again.
    fn rearm(&mut self, marked: bool) -> Result<(), Refused> {
        match &self.tcp {
            Some(listener) => listener.listen_again().map_err(|source| Refused {
                addr: self.addr,
                protocol: Protocol::Tcp,
                source,
            })?,
            None => self.tcp = Some(Self::listen(self.addr, marked)?),
        }
        self.rearm_udp()
    }

    fn rearm_udp(&mut self) -> Result<(), Refused> {
        if let Udp::Gone = self.udp {
            self.udp = Udp::Held(bind_udp(self.addr)?);
        }
        Ok(())
    }

    /// Back to the sockets that there were before [`rearm`](Self::rearm).
    fn disarm(&mut self, (tcp, udp): (bool, bool)) {
        if !udp {
            self.close_udp();
        }
        // Why it is to be is the news; what cannot be shut down either is closed.
        let _ = match self.tcp.take() {
            Some(listener) if tcp => listener.quiesce().map(|listener| self.tcp = listener),
            Some(listener) => listener.close(),
            None => Ok(()),
        };
    }
}

impl Hold {
    /// Holds the port at every one of the addresses; those after the first only where the machine has them.
    pub(crate) fn bind(addrs: &[SocketAddr], udp: bool) -> Result<Self, Refused> {
        let mut places = Vec::with_capacity(addrs.len());
        for &addr in addrs {
            match Place::bind(addr, udp) {
                Ok(place) => places.push(place),
                Err(refused) if !places.is_empty() && socket::is_absent(&refused.source) => {}
                Err(refused) => return Err(refused),
            }
        }
        Ok(Self::of(places))
    }

    /// Holds the port by a socket that this process was started with, at its address, and by one for UDP.
    pub(crate) fn inherited(
        addr: SocketAddr,
        listener: TcpListener,
        udp: Option<UdpSocket>,
    ) -> Self {
        let place = Place {
            addr,
            tcp: Some(Listener::inherited(listener)),
            udp: udp.map_or(Udp::NotAsked, Udp::Held),
        };
        Self {
            inherited: true,
            ..Self::of(vec![place])
        }
    }

    fn of(places: Vec<Place>) -> Self {
        Self {
            marker: None,
            state: State::Held,
            places,
            servers: 0,
            inherited: false,
            taken: None,
            companions: Vec::new(),
        }
    }

    /// Has the ports go with this one.
    pub(super) fn accompany(&mut self, companions: Vec<Hold>) {
        self.companions = companions;
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// Where clients connect.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.places[0].addr
    }

    /// The listening socket, which is held; what else was held keeps the port, and refuses connections.
    pub(crate) fn take_listener(&mut self) -> io::Result<Option<TcpListener>> {
        if self.state != State::Held {
            return Ok(None);
        }
        self.quiesce_others()?;
        self.state = State::Taken;
        let listener = self.places[0].tcp.take().map(TcpListener::from);
        self.taken = listener.as_ref().and_then(socket::number);
        Ok(listener)
    }

    /// The system's number of the listener, if it was taken and the port is not held again.
    pub(super) fn taken(&self) -> Option<u64> {
        self.taken.filter(|_| self.state == State::Taken)
    }

    /// The UDP socket, if it was asked for and is held.
    pub(crate) fn take_udp_socket(&mut self) -> Option<UdpSocket> {
        let udp = &mut self.places[0].udp;
        match std::mem::replace(udp, Udp::Gone) {
            Udp::Held(socket) => Some(socket),
            Udp::NotAsked => {
                *udp = Udp::NotAsked;
                None
            }
            Udp::Gone => None,
        }
    }

    pub(crate) fn has_udp(&self) -> bool {
        !matches!(self.places[0].udp, Udp::NotAsked)
    }

    /// Marks the port and those that go with it, before they are vacated.
    ///
    /// # Errors
    ///
    /// `AddrInUse` when another process has marked one, with that port.
    pub(crate) fn mark(&mut self) -> Result<(), (u16, io::Error)> {
        let port = self.addr().port();
        let is_marked =
            self.marker.is_some() || self.inherited && marker::vacater_of(port).is_some();
        if !is_marked {
            self.marker = Marker::set(port).map_err(|error| (port, error))?;
        }
        self.companions.iter_mut().try_for_each(Self::mark)
    }

    /// The markers, which a program inherits to keep the ports vacated.
    #[cfg(all(target_os = "linux", feature = "cli"))]
    pub(crate) fn markers(&self) -> impl Iterator<Item = std::os::fd::BorrowedFd<'_>> {
        self.all()
            .filter_map(|hold| Some(hold.marker.as_ref()?.as_fd()))
    }

    /// Stops listening; the ports are [marked](Self::mark). UDP has no bound sockets that get nothing: it is closed.
    pub(crate) fn vacate(&mut self) -> io::Result<()> {
        self.state = State::Vacated;
        self.places.iter_mut().for_each(Place::close_udp);
        self.places.iter_mut().try_for_each(Place::quiesce)?;
        self.companions.iter_mut().try_for_each(Self::vacate)
    }

    pub(crate) fn mark_and_vacate(&mut self) -> io::Result<()> {
        self.mark().map_err(|(_, error)| error)?;
        self.vacate()
    }

    /// Vacates the ports that go with this one.
    #[cfg(unix)]
    pub(crate) fn vacate_companions(&mut self) -> io::Result<()> {
        self.companions
            .iter_mut()
            .try_for_each(Self::mark_and_vacate)
    }

    /// Closes everything, for good.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        self.marker = None;
        self.companions
            .iter_mut()
            .for_each(|hold| hold.marker = None);
        self.close()
    }

    /// Closes all sockets.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        self.state = State::Closed;
        let mut closed = Ok(());
        for place in &mut self.places {
            place.close_udp();
            if let Some(listener) = place.tcp.take() {
                closed = closed.and(listener.close());
            }
        }
        let companions = self.companions.iter_mut();
        companions.fold(closed, |closed, hold| closed.and(hold.close()))
    }

    /// Listens again, on all ports and everywhere, or nowhere.
    pub(crate) fn rearm(&mut self) -> Result<(), Refused> {
        let before: Vec<_> = self.companions.iter().map(Self::state).collect();
        for nth in 0..self.companions.len() {
            if let Err(refused) = self.companions[nth].rearm() {
                self.give_back(&before[..nth]);
                return Err(refused);
            }
        }
        self.rearm_itself().inspect_err(|_| self.give_back(&before))
    }

    /// The companions as they were before they were held again. Why that is to be is the news.
    fn give_back(&mut self, before: &[State]) {
        for (hold, before) in self.companions.iter_mut().zip(before) {
            let _ = match before {
                State::Vacated => hold.mark_and_vacate(),
                State::Closed => hold.close(),
                State::Held | State::Taken | State::Given => Ok(()),
            };
        }
    }

    fn rearm_itself(&mut self) -> Result<(), Refused> {
        if self.state == State::Held {
            // Of which the UDP socket can have been taken all the same: the first place's, and no other's.
            return self.places[0].rearm_udp();
        }
        let before: Vec<_> = self.places.iter().map(Place::sockets).collect();
        let marked = self.inherited || self.marker.is_some();
        for nth in 0..self.places.len() {
            if let Err(refused) = self.places[nth].rearm(marked) {
                for (place, before) in self.places[..=nth].iter_mut().zip(before) {
                    place.disarm(before);
                }
                return Err(refused);
            }
        }
        self.state = State::Held;
        self.marker = None;
        Ok(())
    }

    /// The listening socket, to give a child a copy of it.
    #[cfg(unix)]
    pub(crate) fn listener(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        use std::os::fd::AsFd;
        let listener = self.places[0].tcp.as_ref();
        listener
            .filter(|_| self.state == State::Held)
            .map(AsFd::as_fd)
    }

    /// All TCP sockets that are shut down: on the port, and on those that go with it.
    #[cfg(all(unix, feature = "cli"))]
    pub(crate) fn quiet_sockets(&self) -> impl Iterator<Item = std::os::fd::BorrowedFd<'_>> {
        use std::os::fd::AsFd;
        let quiet = self.all().filter(|hold| hold.state != State::Held);
        let places = quiet.flat_map(|hold| &hold.places);
        places.filter_map(|place| Some(place.tcp.as_ref()?.as_fd()))
    }

    #[cfg(all(unix, feature = "cli"))]
    fn all(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.companions)
    }

    /// Closes our copy of a socket that a child has by now. Shutting it down would be the child's end, and to keep it
    /// would let a dead child's port accept connections.
    #[cfg(unix)]
    pub(crate) fn give(&mut self) -> io::Result<()> {
        self.state = State::Given;
        drop(self.places[0].tcp.take());
        self.vacate_companions()?;
        self.quiesce_others()
    }

    fn quiesce_others(&mut self) -> io::Result<()> {
        self.places[1..].iter_mut().try_for_each(Place::quiesce)
    }
}
