//! rstest's own way to a port (feature `rstest`): a fixture in place of the attribute.
//!
//! ```
//! use port_for::PortGuard;
//! use rstest::rstest;
//!
//! #[rstest]
//! fn serves(#[from(port_for::fixture::port)] #[with("api")] mut api: PortGuard) {
//!     let listener = api.take_listener().unwrap();
//!     // …
//! }
//! ```
//!
//! rstest makes one fixture after the other. A test with several of them may therefore wait for another that has the same ones
//! in another order, until one of the two gives up; [`#[port_for]`](macro@crate::port_for), above `#[rstest]`, acquires all of its
//! ports together.

use crate::PortGuard;
use rstest::fixture;

/// The port of the id that is given in `#[with("…")]`.
///
/// # Panics
///
/// If the port cannot be had.
#[fixture]
pub fn port(#[default("")] id: &str) -> PortGuard {
    assert!(
        !id.is_empty(),
        "the fixture needs an id: `#[with(\"api\")]`"
    );
    match crate::guard(id) {
        Ok(guard) => guard,
        Err(error) => panic!("{error}"),
    }
}
