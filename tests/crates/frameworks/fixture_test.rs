//! rstest's own way: the fixtures of this crate.

use port_for::PortGuard;
use port_for::fixture::port;
use rstest::rstest;

use crate::child::{failure_of, test_name};
use crate::{converse, converse_async_on};

#[rstest]
fn named_by_path(
    #[from(port_for::fixture::port)]
    #[with("frameworks/shared")]
    mut api: PortGuard,
) {
    assert_eq!(api.id(), Some("frameworks/shared"));
    converse(&api.take_listener().unwrap(), "fixture");
}

#[rstest]
#[case("frameworks/one")]
#[case("frameworks/two")]
fn with_an_id_of_the_case(#[case] id: &str, #[with(id)] mut port: PortGuard) {
    assert_eq!(port.id(), Some(id));
    converse(&port.take_listener().unwrap(), "fixture");
}

#[rstest]
#[tokio::test]
async fn asynchronous(
    #[from(port)]
    #[with("frameworks/shared")]
    mut api: PortGuard,
) {
    converse_async_on(api.take_listener().unwrap(), "fixture").await;
}

#[rstest]
#[tokio::test]
async fn asynchronous_waiting(
    #[future]
    #[from(port_for::fixture::port_async)]
    #[with("frameworks/shared")]
    api: PortGuard,
) {
    let mut api = api.await;
    converse_async_on(api.take_listener().unwrap(), "fixture").await;
}

/// Where the line below this one is.
const FAILS_AT: u32 = line!() + 1;
#[rstest]
#[ignore = "run by `a_failure_points_at_the_test`"]
fn fails(#[with("-invalid")] port: PortGuard) {
    drop(port);
}

const FAILS_ASYNC_AT: u32 = line!() + 1;
#[rstest]
#[tokio::test]
#[ignore = "run by `a_failure_points_at_the_test`"]
async fn fails_async(
    #[future(awt)]
    #[from(port_for::fixture::port_async)]
    #[with("-invalid")]
    api: PortGuard,
) {
    drop(api);
}

#[test]
fn a_failure_points_at_the_test() {
    for (test, line) in [
        (test_name!(fails), FAILS_AT),
        (test_name!(fails_async), FAILS_ASYNC_AT),
    ] {
        let stderr = failure_of(test);
        let place = format!("{}:{line}:", file!());
        assert!(stderr.contains(&place), "{place} is not in: {stderr}");
        assert!(stderr.contains("-invalid"), "{stderr}");
    }
}
