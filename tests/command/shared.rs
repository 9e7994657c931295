//! Shared servers, listed and stopped.

use std::time::Duration;

use port_for::{Ready, ServerCommand, SharedServer};
use serde_json::{Value, json};

use crate::{Store, has, stderr, stdout};

/// A server that needs no program but a shell.
fn server(store: &Store, id: &str) -> SharedServer {
    let recipe = ServerCommand::new("/bin/sh")
        .args(["-c", "echo up; while :; do sleep 0.05; done"])
        .ready(Ready::line("up"));
    let request = store.library().request(id);
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
    let (one, two) = (server(&store, "list/shared"), server(&store, "list/shared"));
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
    let server = server(&store, "force/shared");
    store.run(&["--stop", "force/shared", "--force"]).success();
    assert!(!server.is_running());
    store.run(&["--force"]).code(2);
}

/// A server that prints nothing, listens, and ends when it is told to.
const SERVER: &str = "python3 -m http.server --bind 127.0.0.1 '{port}'";

/// What CMD sees, and the server is the one that the library shares by the same recipe.
#[test]
fn a_command_runs_beside_a_shared_server() {
    if crate::support::installed::find("python3").is_none() {
        return;
    }
    let store = Store::new();
    let recipe =
        ServerCommand::new("python3").args(["-m", "http.server", "--bind", "127.0.0.1", "{port}"]);
    let request = store.library().request("shared/web");
    let ours = request.start_shared(&recipe).unwrap();
    let script = "echo $PORT $PORT_SHARED_WEB $0";
    let args = [
        "shared/web",
        "--shared",
        SERVER,
        "--",
        "sh",
        "-c",
        script,
        "{addr}",
    ];
    let done = store.run(&args).success();
    let (port, addr) = (ours.port(), ours.addr());
    assert_eq!(stdout(&done), format!("{port} {port} {addr}\n"));
    store.run(&["--stop", "shared/web", "--force"]).success();
}

#[test]
fn the_command_is_a_user_for_as_long_as_it_runs() {
    if crate::support::installed::find("python3").is_none() {
        return;
    }
    let store = Store::new();
    let script = "echo up; read line; exit 7";
    let args = ["user/shared", "--shared", SERVER, "--", "sh", "-c", script];
    let mut running = store.start(&args);
    let mut up = [0; 3];
    let out = running.0.stdout.as_mut().unwrap();
    std::io::Read::read_exact(out, &mut up).unwrap();
    let users = &listed(&store)["shared"]["users"];
    assert_eq!(users.as_array().unwrap().len(), 1);
    assert_eq!(users[0]["pid"], running.0.id());
    store.run(&["--stop", "user/shared"]).code(1);
    drop(running.0.stdin.take());
    assert_eq!(running.0.wait().unwrap().code(), Some(7));
    store.run(&["--stop", "user/shared"]).success();
    assert_eq!(listed(&store)["shared"], Value::Null);
}

#[test]
fn what_is_wrong_with_the_call_is_told_before_anything_starts() {
    let store = Store::new();
    for (args, part) in [
        (
            &["a", "b", "--shared", "x", "--", "true"][..],
            "for one name",
        ),
        (&["a", "--shared", "x 'y", "--", "true"], "is not closed"),
        (&["a", "--shared", "", "--", "true"], "it is empty"),
        (&["a", "--shared", "x"], "CMD"),
        (
            &["a", "--shared", "x", "--inherit", "--", "true"],
            "--inherit",
        ),
    ] {
        has(&stderr(&store.run(args).code(2)), &[part]);
    }
    assert_eq!(store.text(), None);
    let missing = ["a", "--shared", "no-such-program-anywhere", "--", "true"];
    has(
        &stderr(&store.run(&missing).code(1)),
        &["no-such-program-anywhere", "is it installed"],
    );
}
