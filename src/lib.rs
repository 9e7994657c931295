//! Gives every integration test its own TCP port. The port is the same on every run and exclusive on the machine, and
//! a listening socket holds it until your server takes over.
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
//! | You want | Use |
//! |---|---|
//! | a port in a test | [`#[port_for]`](macro@port_for), or the [`fixture`] for rstest |
//! | a port anywhere else | [`guard`]; `guard_async` (feature `tokio`) in async code |
//! | several ports, all or none | [`PortFor::guards`], [`guard_all`] |
//! | consecutive ports, or ports at a fixed distance | [`Request::block`], [`Request::companions`] |
//! | any free port, or exactly this one | [`guard_any`], [`guard_port`] |
//! | only the number | [`forward_port`] |
//! | another host, a timeout, UDP, a port that you choose | [`Request`], from [`PortFor::request`] |
//! | a server in this process on the port | [`PortGuard::take_listener`] |
//! | a server in a process of its own | [`PortGuard::start`] with a [`ServerCommand`]; [`PortGuard::spawn`] with a `Command` |
//! | to know when a server is ready | [`Ready`], [`Server::wait_ready`] |
//! | one server for all tests | [`Request::start_shared`] |
//! | something else to bind the port | [`PortGuard::vacate`], and [`PortGuard::rearm`] afterwards |
//! | a store of your own | [`PortFor::open`] |
//! | to know what has a port | [`occupants`], [`Error::holder`] |
//! | sets of ports | [`ports`] |
//!
//! The [`guide`] explains each of these, page by page. A [`PortGuard`] is the port: drop it and the port is free.
//!
//! Features: `tokio` (`guard_async`, and parameters that are tokio's listeners), `cli` (the command `port-for`).
//!
//! Environment: `PORT_FOR_STORE` (a file), `PORT_FOR_NAMESPACE` (put before every id), `PORT_FOR_TIMEOUT` (seconds),
//! `PORT_FOR_POOL` (ports to assign from), `PORT_FOR_LINGER` (seconds that a shared server lives on after its last user).

#![cfg_attr(docsrs, feature(doc_cfg))]

// From the top down: what stands above uses what stands below, never the other way; `tests/house/architecture.rs` has the
// list.
pub mod guide;

/// The examples of the README are compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

mod attribute;
#[cfg(feature = "cli")]
mod command;
mod startup;

mod port_for;
mod request;

#[cfg_attr(not(unix), allow(dead_code, reason = "there are no keepers there"))]
mod shared;

mod acquire;
mod server;

mod ask;
mod context;
mod guard;
mod handover;
mod lease;
mod store;

mod config;
mod error;
mod files;
pub mod ports;
mod socket;
mod who;

#[cfg(unix)]
mod exec;
mod group;
mod id;
#[cfg(target_os = "linux")]
mod linux_socket;
mod marker;
#[cfg(target_os = "linux")]
mod proc;
mod text;
mod wait;

pub use ask::OnBusy;
pub use attribute::{FromGuard, fixture};
pub use error::{Error, ErrorKind, ParseHostError};
pub use guard::{Host, PortGuard};
pub use handover::inherited;
#[cfg(feature = "tokio")]
pub use port_for::guard_all_async;
pub use port_for::{PortFor, guard_all};
#[doc = include_str!("attribute/attribute.md")]
pub use port_for_macros::port_for;
pub use ports::PortSet;
pub use request::Request;
pub use server::{Ready, Server, ServerCommand, Signal, Stopped};
pub use shared::{OnceError, SharedServer};
pub use store::Assignment;
pub use who::{Holder, Occupant};

// What the attribute's expansion calls; not for people.
#[doc(hidden)]
pub mod __private {
    pub use crate::attribute::{
        FromGuard, NoResult, OnBusy, Outcome, Wanted, acquired, auto_id, guards, guards_async,
        output_of, param, result_of, say_last_lines,
    };
}

// What the command needs; not for people either.
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod __cli {
    pub use crate::command::*;
}

// What the fuzz targets need.
#[cfg(all(fuzzing, feature = "cli"))]
#[doc(hidden)]
#[path = "fuzz.rs"]
pub mod __fuzz;

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

/// A guard for any free port of the pool, from the default store: `PortFor::shared()?.any().guard()`.
///
/// ```no_run
/// let guard = port_for::guard_any()?;
/// println!("http://{}", guard.addr());
/// # Ok::<(), port_for::Error>(())
/// ```
///
/// # Errors
///
/// Those of [`PortFor::shared`] and [`Request::guard`].
pub fn guard_any() -> Result<PortGuard, Error> {
    PortFor::shared()?.any().guard()
}

/// A guard for this port, from the default store: `PortFor::shared()?.port(port).guard()`. Its users take turns. Blocks
/// while another holder has it.
///
/// ```no_run
/// let guard = port_for::guard_port(8080)?;
/// assert_eq!(guard.port(), 8080);
/// # Ok::<(), port_for::Error>(())
/// ```
///
/// # Errors
///
/// Those of [`PortFor::shared`] and [`Request::guard`]; [`InvalidRequest`](ErrorKind::InvalidRequest) for port 0.
pub fn guard_port(port: u16) -> Result<PortGuard, Error> {
    PortFor::shared()?.port(port).guard()
}

/// A guard for `first` or the next higher port that is free. It has no id, and the store does not remember it.
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

/// The processes that listen on the TCP port, at any address, as far as the system tells: on Linux, those of this user,
/// and for root all. Takes time that grows with the number of processes on the machine.
///
/// ```
/// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let occupants = port_for::occupants(listener.local_addr()?.port());
/// # if cfg!(target_os = "linux") {
/// assert_eq!(occupants[0].pid(), std::process::id());
/// # }
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use]
pub fn occupants(port: u16) -> Vec<Occupant> {
    who::Occupants::of(who::Protocol::Tcp, port).into_vec()
}
