//! A port of its own for every integration test.

// What the attribute's expansion calls; not for people.
#[path = "private.rs"]
#[doc(hidden)]
pub mod __private;
mod acquire;
mod config;
mod error;
mod files;
mod forget;
mod guard;
mod hold;
mod holder;
mod host;
mod id;
mod lease;
mod lock;
mod occupant;
mod param;
mod port_for;
pub mod ports;
mod request;
mod server;
mod socket;
mod startup;
mod store;
mod wait;

pub use error::{Error, ErrorKind};
pub use guard::PortGuard;
pub use holder::Holder;
pub use host::Host;
pub use param::FromGuard;
pub use port_for::{Assignment, PortFor};
pub use port_for_macros::port_for;
pub use ports::PortSet;
pub use request::{OnBusy, Request};
pub use server::Server;
pub use startup::inherited;

/// Makes the port of `id` yours, from the default store: `PortFor::shared()?.guard(id)`.
///
/// ```no_run
/// let api = port_for::guard("api")?;
/// println!("http://{}", api.addr());
/// # Ok::<(), port_for::Error>(())
/// ```
///
/// # Errors
///
/// Those of [`PortFor::shared`] and [`PortFor::guard`].
pub fn guard(id: &str) -> Result<PortGuard, Error> {
    PortFor::shared()?.guard(id)
}

/// The port of `id` in the default store: `PortFor::shared()?.forward_port(id, default_port)`.
///
/// ```no_run
/// let port: u16 = port_for::forward_port("api", 8000)?;
/// # Ok::<(), port_for::Error>(())
/// ```
///
/// # Errors
///
/// Those of [`PortFor::shared`] and [`PortFor::forward_port`].
pub fn forward_port(id: &str, default_port: u16) -> Result<u16, Error> {
    PortFor::shared()?.forward_port(id, default_port)
}

/// A guard for `first` or the next higher port that is free. It has no id, and nothing is remembered.
///
/// ```no_run
/// let guard = port_for::available_port(8000)?;
/// assert!(guard.port() >= 8000);
/// # Ok::<(), port_for::Error>(())
/// ```
///
/// # Errors
///
/// Those of [`PortFor::shared`] and [`PortFor::available_port`].
pub fn available_port(first: u16) -> Result<PortGuard, Error> {
    PortFor::shared()?.available_port(first)
}
