//! The types that a test may take a port as.

use std::error::Error;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use crate::guard::PortGuard;
use crate::server::{Obituary, Server, ServerCommand, start_for};
use crate::shared::{self, SharedServer};
use crate::wait::Waiter;

/// A type that a parameter filled by [`#[port_for]`](macro@crate::port_for) can have.
///
/// | the parameter is a | it gets |
/// |---|---|
/// | [`PortGuard`] | the guard |
/// | `&PortGuard`, `&mut PortGuard` | the guard, lent |
/// | `Vec<PortGuard>`, `[PortGuard; N]`, `&[PortGuard]`, `&mut [PortGuard]` | with `block = …`: a guard for each port of the block; an array says how many by itself |
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
/// | [`SharedServer`], `&SharedServer` | with `shared = …`: the server that all tests share, ready. [`u16`] and [`SocketAddr`] are where it listens |
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
    note = "it can be the listening socket: `std::net::TcpListener`, and with the feature `tokio` also `tokio::net::TcpListener`",
    note = "or the guard: `PortGuard`, `&PortGuard`, `&mut PortGuard`",
    note = "or only the number or the address: `u16`, `std::net::SocketAddr`",
    note = "or several guards: `[PortGuard; N]`, or with `block = …` `Vec<PortGuard>`, `&[PortGuard]`, `&mut [PortGuard]`",
    note = "or a server: with `start = …` `Server`, `&Server`, `&mut Server`; with `shared = …` `SharedServer`, `&SharedServer`"
)]
pub trait FromGuard<'slot>: Sized {
    #[doc(hidden)]
    fn from_slot(slot: &'slot mut Slot) -> Result<Self, Failure>;
}

/// Where the attribute keeps a guard while the test's body runs. That no other crate can name it seals [`FromGuard`].
#[derive(Debug)]
pub struct Slot {
    /// One for each port of the block.
    guards: Vec<PortGuard>,
    server: Option<Server>,
    shared: Option<SharedServer>,
    last_words: Option<LastWords>,
}

/// What a test that has failed says about its server, which may be gone by then.
#[derive(Debug)]
enum LastWords {
    Own(Obituary),
    Shared(Arc<shared::Known>),
}

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

impl Slot {
    pub(crate) fn new(guards: Vec<PortGuard>) -> Self {
        Self {
            guards,
            server: None,
            shared: None,
            last_words: None,
        }
    }

    pub(super) fn shared(server: SharedServer) -> Self {
        Self {
            guards: Vec::new(),
            server: None,
            last_words: Some(LastWords::Shared(server.known())),
            shared: Some(server),
        }
    }

    /// Starts a server on the port, which ends with the test as its command says.
    pub(super) async fn start(
        &mut self,
        waiter: Waiter,
        command: &ServerCommand,
    ) -> Result<(), crate::error::Error> {
        self.guards.iter().for_each(PortGuard::stays);
        let guard = (self.guards.first_mut()).expect("a slot is started with one");
        let server = start_for(waiter, guard, command).await?;
        self.last_words = Some(LastWords::Own(server.obituary()));
        self.server = Some(server.stopping_when_dropped());
        Ok(())
    }

    pub(super) fn say_last_lines(&self) {
        match &self.last_words {
            Some(LastWords::Own(server)) => server.say(),
            Some(LastWords::Shared(server)) => server.say_last_lines(),
            None => {}
        }
    }

    fn server(&mut self) -> Result<&mut Option<Server>, Failure> {
        if self.server.is_none() {
            return Err("a `Server` is given where the attribute says `start = …`".into());
        }
        Ok(&mut self.server)
    }

    fn shared_server(&mut self) -> Result<&mut Option<SharedServer>, Failure> {
        if self.shared.is_none() {
            return Err("a `SharedServer` is given where the attribute says `shared = …`".into());
        }
        Ok(&mut self.shared)
    }

    /// The guards, if the ports are the test's.
    fn own(&mut self) -> Result<&mut Vec<PortGuard>, Failure> {
        if self.shared.is_some() {
            return Err("the port of a shared server is its keeper's: take a `SharedServer`, a `SocketAddr` or a `u16`".into());
        }
        Ok(&mut self.guards)
    }

    /// The guards, which stay here until the test's body has ended.
    fn group(&mut self) -> Result<&mut Vec<PortGuard>, Failure> {
        let guards = self.own()?;
        guards.iter().for_each(PortGuard::stays);
        Ok(guards)
    }

    /// The guard of the one port, which stays here likewise.
    fn guard(&mut self) -> Result<&mut PortGuard, Failure> {
        Ok(one(self.group()?)?)
    }
}

fn one(guards: &mut [PortGuard]) -> Result<&mut PortGuard, String> {
    match guards {
        [guard] => Ok(guard),
        all => Err(format!(
            "a block of {0} ports is more than this parameter can take: take a `Vec<PortGuard>` or a `[PortGuard; {0}]`",
            all.len()
        )),
    }
}

#[diagnostic::do_not_recommend]
impl FromGuard<'_> for PortGuard {
    fn from_slot(slot: &mut Slot) -> Result<Self, Failure> {
        let guards = slot.own()?;
        one(guards)?;
        Ok(guards.remove(0))
    }
}

#[diagnostic::do_not_recommend]
impl FromGuard<'_> for Vec<PortGuard> {
    fn from_slot(slot: &mut Slot) -> Result<Self, Failure> {
        Ok(std::mem::take(slot.own()?))
    }
}

#[diagnostic::do_not_recommend]
impl<const N: usize> FromGuard<'_> for [PortGuard; N] {
    fn from_slot(slot: &mut Slot) -> Result<Self, Failure> {
        let guards = Vec::from_slot(slot)?;
        let ports = guards.len();
        let wrong = |_| {
            format!(
                "a block of {ports} ports is no `[PortGuard; {N}]`: let both have the same number"
            )
        };
        Ok(guards.try_into().map_err(wrong)?)
    }
}

#[diagnostic::do_not_recommend]
impl<'slot> FromGuard<'slot> for &'slot [PortGuard] {
    fn from_slot(slot: &'slot mut Slot) -> Result<Self, Failure> {
        Ok(slot.group()?)
    }
}

#[diagnostic::do_not_recommend]
impl<'slot> FromGuard<'slot> for &'slot mut [PortGuard] {
    fn from_slot(slot: &'slot mut Slot) -> Result<Self, Failure> {
        Ok(slot.group()?)
    }
}

#[diagnostic::do_not_recommend]
impl<'slot> FromGuard<'slot> for &'slot PortGuard {
    fn from_slot(slot: &'slot mut Slot) -> Result<Self, Failure> {
        Ok(slot.guard()?)
    }
}

#[diagnostic::do_not_recommend]
impl<'slot> FromGuard<'slot> for &'slot mut PortGuard {
    fn from_slot(slot: &'slot mut Slot) -> Result<Self, Failure> {
        slot.guard()
    }
}

#[diagnostic::do_not_recommend]
impl FromGuard<'_> for TcpListener {
    fn from_slot(slot: &mut Slot) -> Result<Self, Failure> {
        Ok(slot.guard()?.take_listener()?)
    }
}

#[cfg(feature = "tokio")]
#[diagnostic::do_not_recommend]
impl FromGuard<'_> for tokio::net::TcpListener {
    #[track_caller]
    fn from_slot(slot: &mut Slot) -> Result<Self, Failure> {
        Ok(slot.guard()?.take_tokio_listener()?)
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
impl FromGuard<'_> for SharedServer {
    fn from_slot(slot: &mut Slot) -> Result<Self, Failure> {
        let server = slot.shared_server()?.take();
        Ok(server.expect("a slot is read once, for its one parameter"))
    }
}

#[diagnostic::do_not_recommend]
impl<'slot> FromGuard<'slot> for &'slot SharedServer {
    fn from_slot(slot: &'slot mut Slot) -> Result<Self, Failure> {
        let server = slot.shared_server()?.as_ref();
        Ok(server.expect("it was looked for"))
    }
}

#[diagnostic::do_not_recommend]
impl FromGuard<'_> for SocketAddr {
    fn from_slot(slot: &mut Slot) -> Result<Self, Failure> {
        match (&slot.server, &slot.shared) {
            (Some(server), _) => Ok(server.addr()),
            (_, Some(server)) => Ok(server.addr()),
            _ => Ok(slot.guard()?.vacate()?),
        }
    }
}

#[diagnostic::do_not_recommend]
impl FromGuard<'_> for u16 {
    fn from_slot(slot: &mut Slot) -> Result<Self, Failure> {
        SocketAddr::from_slot(slot).map(|addr| addr.port())
    }
}
