//! The types that a test may take a port as.

use std::error::Error;
use std::net::{SocketAddr, TcpListener};

use crate::guard::PortGuard;
use crate::server::{Obituary, Server, ServerCommand, start_for};
use crate::wait::Waiter;

/// A type that a parameter filled by [`#[port_for]`](macro@crate::port_for) can have.
///
/// | the parameter is a | it gets |
/// |---|---|
/// | [`PortGuard`] | the guard |
/// | `&PortGuard`, `&mut PortGuard` | the guard, lent |
/// | [`std::net::TcpListener`] | the listening socket, taken from the guard |
#[cfg_attr(
    feature = "tokio",
    doc = "| [`tokio::net::TcpListener`] | the same, registered with the runtime that runs the test |"
)]
#[cfg_attr(
    not(feature = "tokio"),
    doc = "| `tokio::net::TcpListener` | the same, registered with the runtime that runs the test; needs the feature `tokio` |"
)]
/// | [`u16`], [`SocketAddr`] | the port or address, vacated: ready for a server that binds it by itself |
/// | [`Server`], `&Server`, `&mut Server` | with `start = …`: the server, ready; it is stopped as its command says when the test has ended. [`u16`] and [`SocketAddr`] are where it listens |
///
/// Whatever the parameter's type is, the test keeps the lease until its body has ended.
///
/// # Sealed
///
/// No other crate can implement this trait. Its implementations are the ways in which a guard hands off its port, and
/// those are this crate's to know; as long as no other crate depends on how an implementation gets at the guard, that can
/// change. For a type of your own, take a [`PortGuard`] and convert it in the test's first line, or write an
/// rstest fixture that does.
#[diagnostic::on_unimplemented(
    message = "a port cannot be given as `{Self}`",
    label = "not a type that `#[port_for]` can fill",
    note = "it can fill `PortGuard`, `&PortGuard`, `&mut PortGuard`, `std::net::TcpListener`, `u16` (the port), \
            `std::net::SocketAddr`, with `start = …` `Server`, `&Server` and `&mut Server`, and with the feature `tokio` also `tokio::net::TcpListener`"
)]
pub trait FromGuard<'slot>: Sized {
    #[doc(hidden)]
    fn from_slot(slot: &'slot mut Slot) -> Result<Self, Failure>;
}

/// Where the attribute keeps a guard while the test's body runs. That no other crate can name it seals [`FromGuard`].
#[derive(Debug)]
pub struct Slot {
    guard: Option<PortGuard>,
    server: Option<Server>,
    obituary: Option<Obituary>,
}

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

impl Slot {
    pub(crate) fn new(guard: PortGuard) -> Self {
        Self {
            guard: Some(guard),
            server: None,
            obituary: None,
        }
    }

    /// Starts a server on the port, which ends with the test as its command says.
    pub(super) async fn start(
        &mut self,
        waiter: Waiter,
        command: &ServerCommand,
    ) -> Result<(), crate::error::Error> {
        let server = start_for(waiter, self.guard(), command).await?;
        self.obituary = Some(server.obituary());
        self.server = Some(server.stopping_when_dropped());
        Ok(())
    }

    pub(super) fn say_last_lines(&self) {
        if let Some(obituary) = &self.obituary {
            obituary.say();
        }
    }

    fn server(&mut self) -> Result<&mut Option<Server>, Failure> {
        if self.server.is_none() {
            return Err("a `Server` is given where the attribute says `start = …`".into());
        }
        Ok(&mut self.server)
    }

    /// The guard, which stays here until the test's body has ended.
    fn guard(&mut self) -> &mut PortGuard {
        let guard = (self.guard.as_mut()).expect("a slot is read once, for its one parameter");
        guard.stays();
        guard
    }
}

#[diagnostic::do_not_recommend]
impl FromGuard<'_> for PortGuard {
    fn from_slot(slot: &mut Slot) -> Result<Self, Failure> {
        Ok((slot.guard.take()).expect("a slot is read once, for its one parameter"))
    }
}

#[diagnostic::do_not_recommend]
impl<'slot> FromGuard<'slot> for &'slot PortGuard {
    fn from_slot(slot: &'slot mut Slot) -> Result<Self, Failure> {
        Ok(slot.guard())
    }
}

#[diagnostic::do_not_recommend]
impl<'slot> FromGuard<'slot> for &'slot mut PortGuard {
    fn from_slot(slot: &'slot mut Slot) -> Result<Self, Failure> {
        Ok(slot.guard())
    }
}

#[diagnostic::do_not_recommend]
impl FromGuard<'_> for TcpListener {
    fn from_slot(slot: &mut Slot) -> Result<Self, Failure> {
        Ok(slot.guard().take_listener()?)
    }
}

#[cfg(feature = "tokio")]
#[diagnostic::do_not_recommend]
impl FromGuard<'_> for tokio::net::TcpListener {
    #[track_caller]
    fn from_slot(slot: &mut Slot) -> Result<Self, Failure> {
        let listener = slot.guard().take_listener()?;
        listener.set_nonblocking(true)?;
        Ok(Self::from_std(listener)?)
    }
}

#[diagnostic::do_not_recommend]
impl FromGuard<'_> for Server {
    fn from_slot(slot: &mut Slot) -> Result<Self, Failure> {
        let server = slot.server()?.take();
        Ok(server.expect("a slot is read once, for its one parameter"))
    }
}

#[diagnostic::do_not_recommend]
impl<'slot> FromGuard<'slot> for &'slot Server {
    fn from_slot(slot: &'slot mut Slot) -> Result<Self, Failure> {
        let server = slot.server()?.as_ref();
        Ok(server.expect("it was looked for"))
    }
}

#[diagnostic::do_not_recommend]
impl<'slot> FromGuard<'slot> for &'slot mut Server {
    fn from_slot(slot: &'slot mut Slot) -> Result<Self, Failure> {
        let server = slot.server()?.as_mut();
        Ok(server.expect("it was looked for"))
    }
}

#[diagnostic::do_not_recommend]
impl FromGuard<'_> for SocketAddr {
    fn from_slot(slot: &mut Slot) -> Result<Self, Failure> {
        match &slot.server {
            Some(server) => Ok(server.addr()),
            None => Ok(slot.guard().vacate()?),
        }
    }
}

#[diagnostic::do_not_recommend]
impl FromGuard<'_> for u16 {
    fn from_slot(slot: &mut Slot) -> Result<Self, Failure> {
        SocketAddr::from_slot(slot).map(|addr| addr.port())
    }
}
