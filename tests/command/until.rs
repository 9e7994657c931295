//! `--wait` and `--gone`.

use crate::{Store, has, stderr};

/// A server that says so once it listens: here, this process.
#[test]
fn a_wait_ends_when_the_holder_listens_and_at_once_when_there_is_none() {
    let store = Store::new();
    has(
        &stderr(&store.run(&["--wait", "api"]).code(1)),
        &["it has no port", "-- CMD"],
    );
    let mut guard = store.library().guard("api").unwrap();
    let addr = guard.vacate().unwrap();
    let done = store.run(&["--wait", "api", "--timeout", "0s"]).code(1);
    has(
        &stderr(&done),
        &["nothing of it listens yet", &std::process::id().to_string()],
    );
    let server = std::net::TcpListener::bind(addr).unwrap();
    store
        .run(&["--wait", "api"])
        .success()
        .stdout("")
        .stderr("");
    drop(server);
    drop(guard);
    has(
        &stderr(&store.run(&["--wait", "api"]).code(1)),
        &["no process holds"],
    );
}

#[test]
fn a_wait_that_has_time_is_for_a_holder_to_come_too() {
    let store = Store::new();
    let mut waiting = store.start(&["--wait", "api", "--timeout", "60s"]);
    let guard = store.library().guard("api").unwrap();
    assert!(waiting.0.wait().unwrap().success());
    drop(guard);
}

#[test]
fn a_wait_ends_with_an_error_when_the_holder_has_ended() {
    let store = Store::new();
    let mut guard = store.library().guard("api").unwrap();
    guard.vacate().unwrap();
    let mut command = store.with(&["--wait", "api"]);
    let waited = std::thread::scope(|scope| {
        let waited = scope.spawn(move || command.assert());
        // Whenever it looks first: held and silent, or not held any more.
        drop(guard);
        waited.join().unwrap()
    });
    has(&stderr(&waited.code(1)), &["`api` does not listen"]);
}

#[test]
fn a_name_is_gone_once_its_holder_has_ended() {
    let store = Store::new();
    store.run(&["--gone", "api"]).success();
    let guard = store.library().guard("api").unwrap();
    let done = store.run(&["--gone", "api", "--timeout", "0s"]).code(1);
    has(&stderr(&done), &["`api` is not free", "held by process"]);
    let mut waiting = store.start(&["--gone", "api"]);
    drop(guard);
    assert!(waiting.0.wait().unwrap().success());
}
