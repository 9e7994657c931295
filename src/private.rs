//! What the attribute's expansion calls. Not for people: it changes with the macro crate, which is pinned for that.

use crate::acquire;
use crate::hash::fnv1a;
use crate::id::MAX_ID;
use crate::param::{FromGuard, Slot};
use crate::wait::{Waiter, without_pending};
use crate::{Error, PortFor, PortSet};
use std::fmt::Write as _;
use std::thread;
use std::time::Duration;

pub use crate::OnBusy;

/// One port that a test asks for. What is a string here was checked by the macro.
#[derive(Debug)]
pub struct Wanted {
    id: String,
    number: Option<Number>,
    ports: Option<&'static str>,
    host: Option<&'static str>,
    timeout: Option<Duration>,
    on_busy: Option<OnBusy>,
    udp: bool,
}

#[derive(Debug)]
enum Number {
    Default(u16),
    Exact(u16),
}

impl Wanted {
    #[must_use]
    pub fn new(id: &(impl AsRef<str> + ?Sized)) -> Self {
        Self {
            id: id.as_ref().to_owned(),
            number: None,
            ports: None,
            host: None,
            timeout: None,
            on_busy: None,
            udp: false,
        }
    }

    #[must_use]
    pub fn default_port(mut self, port: u16) -> Self {
        self.number = Some(Number::Default(port));
        self
    }

    #[must_use]
    pub fn exact_port(mut self, port: u16) -> Self {
        self.number = Some(Number::Exact(port));
        self
    }

    #[must_use]
    pub fn ports(mut self, ports: &'static str) -> Self {
        self.ports = Some(ports);
        self
    }

    #[must_use]
    pub fn host(mut self, host: &'static str) -> Self {
        self.host = Some(host);
        self
    }

    #[must_use]
    pub fn timeout_millis(mut self, millis: u64) -> Self {
        self.timeout = Some(Duration::from_millis(millis));
        self
    }

    #[must_use]
    pub fn on_busy(mut self, on_busy: OnBusy) -> Self {
        self.on_busy = Some(on_busy);
        self
    }

    #[must_use]
    pub fn udp(mut self) -> Self {
        self.udp = true;
        self
    }
}

/// All the ports of a test, together: in whatever order tests name the same ids, none waits for another in a circle.
///
/// # Panics
///
/// With the error's message, at the caller: the line of the attribute.
#[must_use]
#[track_caller]
#[expect(
    clippy::needless_pass_by_value,
    reason = "the expansion is the same for `guards_async`"
)]
pub fn guards<const N: usize>(wanted: [Wanted; N]) -> [Slot; N] {
    acquired(without_pending(guards_for(Waiter::Thread, &wanted)))
}

/// [`guards`] for an async test; [`acquired`] panics for it, as a future has no caller to point at.
///
/// # Errors
///
/// What a guard's acquisition gives.
pub async fn guards_async<const N: usize>(wanted: [Wanted; N]) -> Result<[Slot; N], Error> {
    guards_for(Waiter::Test, &wanted).await
}

/// The second half of [`guards_async`].
#[must_use]
#[track_caller]
pub fn acquired<const N: usize>(slots: Result<[Slot; N], Error>) -> [Slot; N] {
    match slots {
        Ok(slots) => slots,
        Err(error) => panic!("{error}"),
    }
}

/// Makes of a guard what the parameter's type wants.
#[must_use]
#[track_caller]
pub fn param<'slot, T: FromGuard<'slot>>(slot: &'slot mut Slot) -> T {
    match T::from_slot(slot) {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}

async fn guards_for<const N: usize>(
    waiter: Waiter,
    wanted: &[Wanted; N],
) -> Result<[Slot; N], Error> {
    let port_for = PortFor::shared()?;
    let requests = wanted.each_ref().map(|wanted| {
        let mut request = port_for.request(&wanted.id);
        request = match wanted.number {
            None => request,
            Some(Number::Default(port)) => request.default_port(port),
            Some(Number::Exact(port)) => request.exact_port(port),
        };
        if let Some(ports) = wanted.ports {
            request = request.ports(ports.parse::<PortSet>().expect("the macro has checked it"));
        }
        if let Some(host) = wanted.host {
            request = request.host(host);
        }
        if let Some(timeout) = wanted.timeout {
            request = request.timeout(timeout);
        }
        if let Some(on_busy) = wanted.on_busy {
            request = request.on_busy(on_busy);
        }
        if wanted.udp {
            request = request.udp();
        }
        request
    });
    let guards = acquire::guards_for(waiter, port_for, &requests).await?;
    Ok(acquire::array(guards).map(Slot::new))
}

/// The id of a parameter that was not given one: `crate::path::to::test::parameter`.
///
/// Of the test's thread the name is taken, where it belongs to this function, for it tells the cases of one function
/// apart. A crate that is not named after its package, such as an integration test, has the package before it, for
/// two packages may each have a `tests/it.rs`.
#[must_use]
pub fn auto_id(package: Option<&str>, module: &str, function: &str, parameter: &str) -> String {
    let thread = thread::current();
    make_auto_id(package, module, function, parameter, thread.name())
}

fn make_auto_id(
    package: Option<&str>,
    module: &str,
    function: &str,
    parameter: &str,
    thread: Option<&str>,
) -> String {
    let path = format!("{module}::{function}");
    let (krate, path) = path.split_once("::").unwrap_or(("", &path));
    let test = thread
        .filter(|thread| {
            let rest = thread.strip_prefix(path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        })
        .unwrap_or(path);
    let mut id = format!("{krate}::{test}::{parameter}");
    if let Some(package) = package.filter(|package| package.replace('-', "_") != krate) {
        id = format!("{package}/{id}");
    }
    shorten(id)
}

/// Cuts `id` to what an id may have, with a hash of the whole at its end: equal beginnings stay apart.
fn shorten(mut id: String) -> String {
    if id.len() > MAX_ID {
        let hash = fnv1a(id.as_bytes());
        let mut end = MAX_ID - "-0123456789abcdef".len();
        while !id.is_char_boundary(end) {
            end -= 1;
        }
        id.truncate(end);
        // Writing to a string does not fail.
        let _ = write!(id, "-{hash:016x}");
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(package: &str, module: &str, thread: Option<&str>, id: &str) {
        assert_eq!(
            make_auto_id(Some(package), module, "login", "port", thread),
            id
        );
    }

    #[test]
    fn auto_id_is_crate_test_and_parameter() {
        let module = "my_crate::tests";
        check(
            "my-crate",
            module,
            Some("tests::login"),
            "my_crate::tests::login::port",
        );
    }

    #[test]
    fn auto_id_tells_cases_apart() {
        let id = "my_crate::tests::login::case_1::port";
        check(
            "my-crate",
            "my_crate::tests",
            Some("tests::login::case_1"),
            id,
        );
    }

    #[test]
    fn auto_id_ignores_a_thread_named_otherwise() {
        for thread in [None, Some("main"), Some("tests::login_twice"), Some("pool")] {
            check(
                "my-crate",
                "my_crate::tests",
                thread,
                "my_crate::tests::login::port",
            );
        }
    }

    #[test]
    fn auto_id_of_an_integration_test_names_its_package() {
        check("my-pkg", "it", Some("login"), "my-pkg/it::login::port");
    }

    #[test]
    fn auto_id_needs_no_cargo() {
        let id = make_auto_id(None, "it", "login", "port", None);
        assert_eq!(id, "it::login::port");
    }

    #[test]
    fn a_long_auto_id_is_cut_and_stays_distinct() {
        let (a, b) = ("é".repeat(200) + "a", "é".repeat(200) + "b");
        let ids = [a, b].map(|function| make_auto_id(None, "it", &function, "port", None));
        for id in &ids {
            assert!((MAX_ID - 1..=MAX_ID).contains(&id.len()), "{id}");
        }
        assert_ne!(ids[0], ids[1]);
    }
}
