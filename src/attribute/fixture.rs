//! rstest's own way to a port: fixtures in place of the attribute.
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

use crate::guard::PortGuard;
use crate::port_for::PortFor;

/// The port of the id that is given in `#[with("…")]`.
///
/// # Panics
///
/// If the port cannot be acquired.
#[track_caller]
pub fn port(id: &str) -> PortGuard {
    match PortFor::shared().and_then(|ports| ports.guard(id)) {
        Ok(guard) => guard,
        Err(error) => panic!("{error}"),
    }
}

/// The same for async tests (feature `tokio`): while it waits, their runtime runs other tasks.
///
/// ```
/// use port_for::PortGuard;
/// use rstest::rstest;
///
/// #[rstest]
/// #[tokio::test]
/// async fn serves(
///     #[future]
///     #[from(port_for::fixture::port_async)]
///     #[with("api")]
///     api: PortGuard,
/// ) {
///     let mut api = api.await;
///     let listener = api.take_listener().unwrap();
///     // …
/// }
/// ```
///
/// # Panics
///
/// If the port cannot be acquired.
#[cfg(feature = "tokio")]
#[track_caller]
pub fn port_async(id: &str) -> impl Future<Output = PortGuard> {
    // The poller of the future is no caller that a person would want to know.
    let caller = std::panic::Location::caller();
    async move {
        let guard = async { PortFor::shared()?.guard_async(id).await };
        match guard.await {
            Ok(guard) => guard,
            Err(error) => panic!("{error} (asked for at {caller})"),
        }
    }
}

/// What `#[rstest::fixture]` makes beside a function, and a test calls: `partial_1` with the argument of `#[with]`, or
/// `default` without one. Its own ones do not pass on the caller, so a failure would point here instead of at the test.
macro_rules! fixture {
    ($name:ident -> $output:ty, $without_id:ty) => {
        #[allow(non_camel_case_types)]
        #[derive(Debug)]
        #[doc(hidden)]
        pub struct $name {}

        impl $name {
            #[track_caller]
            pub fn partial_1(id: &str) -> $output {
                $name(id)
            }

            #[allow(clippy::should_implement_trait, reason = "rstest's name for it")]
            pub fn default<T: HasAnId>() -> $without_id {
                unreachable!("nothing has an id without one being given")
            }
        }
    };
}

fixture!(port -> PortGuard, T);
#[cfg(feature = "tokio")]
fixture!(port_async -> impl Future<Output = PortGuard>, std::future::Ready<T>);

/// Nothing, so that a fixture without an id is a mistake that the compiler tells.
#[diagnostic::on_unimplemented(
    message = "the fixture needs an id",
    label = "write `#[with(\"api\")]`, with the id that the port is to have"
)]
#[doc(hidden)]
pub trait HasAnId {}
