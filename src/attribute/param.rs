//! The types that a test may take a port as.

use std::error::Error;
use std::net::{SocketAddr, TcpListener};

use crate::guard::PortGuard;

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
///
/// Whatever the parameter's type is, the test keeps the lease until its body has ended.
///
/// # Sealed
///
/// No other crate can implement this trait. Its implementations are the ways in which a guard hands off its port, and
/// those are this crate's to know; as long as nobody else depends on how an implementation gets at the guard, that can
/// change. For a type of your own, take a [`PortGuard`] and convert it in the test's first line, or write an
/// rstest fixture that does.
#[diagnostic::on_unimplemented(
    message = "a port cannot be given as `{Self}`",
    label = "not a type that `#[port_for]` can fill",
    note = "it can fill `PortGuard`, `&PortGuard`, `&mut PortGuard`, `std::net::TcpListener`, `u16` (the port), \
            `std::net::SocketAddr`, and with the feature `tokio` also `tokio::net::TcpListener`"
)]
pub trait FromGuard<'slot>: Sized {
    #[doc(hidden)]
    fn from_slot(slot: &'slot mut Slot) -> Result<Self, Failure>;
}

/// Where the attribute keeps a guard while the test's body runs. That nobody else can name it seals [`FromGuard`].
#[derive(Debug)]
pub struct Slot(Option<PortGuard>);

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

impl Slot {
    pub(crate) fn new(guard: PortGuard) -> Self {
        Self(Some(guard))
    }

    fn guard(&mut self) -> &mut PortGuard {
        (self.0.as_mut()).expect("a slot is read once, for its one parameter")
    }
}

#[diagnostic::do_not_recommend]
impl FromGuard<'_> for PortGuard {
    fn from_slot(slot: &mut Slot) -> Result<Self, Failure> {
        Ok((slot.0.take()).expect("a slot is read once, for its one parameter"))
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
impl FromGuard<'_> for SocketAddr {
    fn from_slot(slot: &mut Slot) -> Result<Self, Failure> {
        Ok(slot.guard().vacate()?)
    }
}

#[diagnostic::do_not_recommend]
impl FromGuard<'_> for u16 {
    fn from_slot(slot: &mut Slot) -> Result<Self, Failure> {
        SocketAddr::from_slot(slot).map(|addr| addr.port())
    }
}
