//! The id of a parameter that was given none.

use std::fmt::Write as _;
use std::thread;

use crate::id::{MAX_ID, fnv1a};

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
