//! A port of its own for every integration test: the same one on every run, nobody else's on the machine, and held by
//! a listening socket until your server has it.
//!
//! ```
//! use port_for::{PortGuard, port_for};
//!
//! #[port_for("api")] // adds #[test]
//! fn serves(mut api: PortGuard) {
//!     let listener = api.take_listener().unwrap();
//!     // … a server runs on the listener, and a client asks http://{api.addr()}
//! }
//! ```
//!
//! - [`#[port_for]`](macro@port_for) on a test function asks for ports and waits until they are free.
//! - [`PortGuard`] is a port that is yours, and gives it to a server.
//! - [`Server`] is a server in a process of its own, started on a guard's port.
//! - [`PortFor`] is a store of ports. The default one is per user; [`guard`] and [`forward_port`] use it.
//! - [`Request`] asks with options: a default or an exact port, a host, a timeout.
//! - [`ports`] knows which ports are good, and which are in use.
//!
//! Features: `tokio` (`guard_async`, and parameters that are tokio's listeners), `rstest` (fixtures), `cli` (the command
//! `port-for`).
//!
//! Environment: `PORT_FOR_STORE` (a file), `PORT_FOR_NAMESPACE` (put before every id), `PORT_FOR_TIMEOUT` (seconds),
//! `PORT_FOR_POOL` (ports to assign from).

#![cfg_attr(docsrs, feature(doc_cfg))]

// What the attribute's expansion calls; not for people.
#[path = "private.rs"]
#[doc(hidden)]
pub mod __private;
mod acquire;
// What the command needs; not for people either.
#[cfg(feature = "cli")]
#[doc(hidden)]
#[path = "cli.rs"]
pub mod __cli;
// What the fuzz targets need.
#[cfg(fuzzing)]
#[doc(hidden)]
#[path = "fuzz.rs"]
pub mod __fuzz;
mod config;
mod error;
mod files;
#[cfg(feature = "rstest")]
pub mod fixture;
mod forget;
mod guard;
mod hash;
mod hold;
mod holder;
mod host;
mod id;
#[cfg(feature = "cli")]
mod import;
mod lease;
mod lock;
mod occupant;
mod param;
mod port_for;
pub mod ports;
#[cfg(any(feature = "cli", fuzzing))]
mod python_config;
mod request;
mod server;
mod socket;
mod startup;
mod store;
mod wait;
#[cfg(windows)]
mod windows;

pub use error::{Error, ErrorKind};
pub use guard::PortGuard;
pub use holder::Holder;
pub use host::Host;
pub use param::FromGuard;
pub use port_for::{Assignment, PortFor};
#[doc = include_str!("attribute.md")]
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

/// As [`guard`], for async code: `PortFor::shared()?.guard_async(id).await`.
///
/// ```no_run
/// # async fn example() -> Result<(), port_for::Error> {
/// let api = port_for::guard_async("api").await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Those of [`PortFor::shared`] and [`PortFor::guard_async`].
#[cfg(feature = "tokio")]
pub async fn guard_async(id: &str) -> Result<PortGuard, Error> {
    PortFor::shared()?.guard_async(id).await
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
