//! Servers that do not start.

use std::thread;
use std::time::{Duration, Instant};

use port_for::{ErrorKind, Ready, ServerCommand};

use crate::server::request;
use crate::support::TempStore;

/// A server that says how often it was started, and ends when the file is there.
fn failing(store: &TempStore) -> ServerCommand {
    let script =
        "echo x >> \"$COUNT\"; while [ ! -e \"$GO\" ]; do sleep 0.01; done; echo broken; exit 3";
    ServerCommand::new("/bin/sh")
        .arg("-c")
        .literal_arg(script)
        .env("COUNT", store.folder().join("count"))
        .env("GO", store.folder().join("go"))
}

fn count(store: &TempStore) -> usize {
    let count = std::fs::read_to_string(store.folder().join("count"));
    count.unwrap_or_default().lines().count()
}

#[test]
fn all_who_wait_for_a_start_get_its_error_and_the_next_tries_again() {
    let store = TempStore::new();
    let errors: Vec<_> = thread::scope(|scope| {
        let users: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| request(&store).start_shared(&failing(&store)).unwrap_err()))
            .collect();
        crate::support::eventually("all of them", || {
            let users = crate::server::places(&store)
                .first()
                .map(|place| place.join("users"));
            let users = users.and_then(|users| std::fs::read_dir(users).ok());
            users.map_or(0, Iterator::count) == 8
        });
        std::fs::write(store.folder().join("go"), "").unwrap();
        users.into_iter().map(|user| user.join().unwrap()).collect()
    });
    assert_eq!(count(&store), 1);
    for error in &errors {
        assert_eq!(error.kind(), ErrorKind::Exited);
        assert_eq!(error.to_string(), errors[0].to_string());
    }
    let message = errors[0].to_string();
    assert!(message.contains("exit status: 3"), "{message}");
    assert!(message.contains("its last lines:\n  broken"), "{message}");
    request(&store).start_shared(&failing(&store)).unwrap_err();
    assert_eq!(count(&store), 2);
}

#[test]
fn a_start_that_hangs_ends_with_its_ready_timeout() {
    let store = TempStore::new();
    let hangs = failing(&store).ready_timeout(Duration::from_millis(300));
    let began = Instant::now();
    let error = request(&store).start_shared(&hangs).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotReady);
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_missing_program_and_a_bad_recipe_are_told_as_elsewhere() {
    let store = TempStore::new();
    let missing = ServerCommand::new("no-such-program-anywhere");
    let error = request(&store).start_shared(&missing).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotStarted);
    assert!(error.to_string().contains("is it installed"), "{error}");
    let bad = ServerCommand::new("sh").ready(Ready::http("no path"));
    let error = request(&store).start_shared(&bad).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotStarted);
    assert!(
        error.to_string().contains("has to begin with `/`"),
        "{error}"
    );
    let setup = ServerCommand::new("sh").setup("sh", ["-c", "echo no data; exit 4"]);
    let error = request(&store).start_shared(&setup).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotStarted);
    assert!(error.to_string().contains("no data"), "{error}");
}

#[test]
fn it_needs_an_id() {
    let store = TempStore::new();
    let error = store.any().start_shared(&failing(&store)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
}
