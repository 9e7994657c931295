//! Shared servers, listed and stopped.

use std::time::Duration;

use port_for::{Ready, ServerCommand, SharedServer};
use serde_json::{Value, json};

use crate::{Store, has, stderr, stdout};

/// A server that needs no program but a shell.
fn server(store: &Store) -> SharedServer {
    let recipe = ServerCommand::new("/bin/sh")
        .args(["-c", "echo up; while :; do sleep 0.05; done"])
        .ready(Ready::line("up"));
    let request = store.library().request("list/shared");
    let server = request.linger(Duration::from_secs(300));
    server.start_shared(&recipe).unwrap()
}

#[track_caller]
fn listed(store: &Store) -> Value {
    let text = stdout(&store.run(&["--list", "--json"]).success());
    let all: Value = serde_json::from_str(&text).unwrap();
    all[0].clone()
}

#[test]
fn a_shared_server_is_listed_with_its_users_and_stopped() {
    let store = Store::new();
    let (one, two) = (server(&store), server(&store));
    let entry = listed(&store);
    assert_eq!(entry["state"], "shared");
    assert_eq!(entry["shared"]["pid"], one.id());
    assert_eq!(entry["shared"]["users"].as_array().unwrap().len(), 2);
    let test = "shared::a_shared_server_is_listed_with_its_users_and_stopped";
    let user = &entry["shared"]["users"][0];
    assert!(user["test"].as_str().unwrap().contains(test), "{user}");
    let keeper = entry["holder"]["command"].as_str().unwrap();
    assert_eq!(keeper, "port-for-keeper of list/shared");
    let table = stdout(&store.run(&["--list"]).success());
    has(&table, &["  shared  ", "2 users: ", test]);

    let refused = store.run(&["--stop", "list/shared"]).code(1);
    has(
        &stderr(&refused),
        &["`list/shared`", "it is in use", test, "--force"],
    );
    assert!(one.is_running());
    drop(two);
    drop(one);
    let done = store.run(&["--stop", "list/shared"]).success().stdout("");
    has(&stderr(&done), &["`list/shared`", "has ended"]);
    let entry = listed(&store);
    assert_eq!(
        (&entry["state"], &entry["shared"]),
        (&json!("free"), &Value::Null)
    );
    let done = store.run(&["--stop", "list/shared"]).code(1);
    has(&stderr(&done), &["`list/shared`", "none runs"]);
}

#[test]
fn by_force_one_is_stopped_that_is_used() {
    let store = Store::new();
    let server = server(&store);
    store.run(&["--stop", "list/shared", "--force"]).success();
    assert!(!server.is_running());
    store.run(&["--force"]).code(2);
}
