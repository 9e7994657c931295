//! Who has which port.

use std::net::TcpListener;
use std::process;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::support::{wait, wine};
use crate::{DAY, Store, has, stderr, stdout};

/// The rows of the table, with single spaces.
#[track_caller]
fn rows(store: &Store) -> Vec<String> {
    let text = stdout(&store.run(&["--list"]).success().stderr(""));
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines().map(words).collect()
}

#[track_caller]
fn json(store: &Store, args: &[&str]) -> Value {
    let text = stdout(&store.run(args).success().stderr(""));
    serde_json::from_str(&text).unwrap()
}

/// Looks until it sees the parts, which it does in the end: a process that another test is just starting has copies of
/// this one's sockets for a moment, and so can be listed in its place.
#[track_caller]
fn eventually(look: impl Fn() -> String, parts: &[&str]) {
    let mut text = String::new();
    let _ = wait::within(Duration::from_secs(10), || {
        text = look();
        parts.iter().all(|part| text.contains(part))
    });
    has(&text, parts);
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

#[test]
fn an_empty_store_is_an_empty_list() {
    let store = Store::new();
    let done = store.run(&["-l"]).success().stdout("");
    has(&stderr(&done), &["no ports", "ports.json"]);
    assert_eq!(json(&store, &["--list", "--json"]), json!([]));
    assert_eq!(store.text(), None);
}

#[test]
fn a_free_port_is_listed_with_its_last_use() {
    let store = Store::new();
    let port = store.port(&["list/free"]);
    store.age(port, 45 * DAY);
    assert_eq!(
        rows(&store),
        [
            "ID PORT STATE SINCE LAST USED PID TEST OR COMMAND".to_owned(),
            format!("list/free {port} free 45 days ago"),
        ]
    );
}

/// What the library calls the test that holds a port of this store: this one, as its runner names it.
fn holding_test(store: &Store) -> String {
    let listed = store.library().assignments().unwrap();
    let holder = listed.iter().find_map(|found| found.holder());
    let test = holder.and_then(|holder| holder.test()).unwrap();
    assert!(test.contains(thread::current().name().unwrap()), "{test}");
    test.to_owned()
}

#[test]
fn a_held_port_is_listed_with_the_test_that_has_it() {
    let store = Store::new();
    let guard = store.library().guard("list/held").unwrap();
    let test = holding_test(&store);
    let [_, row] = &*rows(&store) else {
        panic!("one row")
    };
    let (port, pid) = (guard.port(), process::id());
    has(
        row,
        &[
            &format!("list/held {port} held "),
            &format!(" s ago {pid} {test}"),
        ],
    );
}

#[test]
fn a_port_that_somebody_listens_on_without_a_lease_is_listed_with_them() {
    let store = Store::new();
    let port = store.port(&["list/occupied"]);
    let _stranger = TcpListener::bind(("127.0.0.1", port)).unwrap();
    if !wine::tells_whose_a_socket_is() {
        return;
    }
    let (row, pid) = (format!("list/occupied {port} occupied "), process::id());
    eventually(|| rows(&store)[1].clone(), &[&row, &format!(" ago {pid} ")]);
}

#[test]
fn columns_are_aligned() {
    let store = Store::new();
    store.port(&["list/a", "-p", "80"]);
    store.port(&["list/much-longer", "-p", "4801"]);
    let text = stdout(&store.run(&["--list"]).success());
    let lines: Vec<_> = text.lines().collect();
    let port = lines[0].find("PORT").unwrap();
    assert_eq!(&lines[1][port..port + 4], "  80");
    assert_eq!(&lines[2][port..port + 4], "4801");
}

#[test]
fn programs_get_every_field() {
    let store = Store::new();
    let before = now();
    let guard = store.library().guard("list/json/held").unwrap();
    store.port(&["list/json/free", "-p", "80"]);
    store.age(80, 2 * DAY);

    let all = json(&store, &["--list", "--json"]);
    let [free, held] = &all.as_array().unwrap()[..] else {
        panic!("two objects")
    };
    let last_used = free["last_used"].as_u64().unwrap();
    assert!(
        before - 2 * 86_400 - 1 <= last_used && last_used < before,
        "{free}"
    );
    assert_eq!(
        free,
        &json!({
            "id": "list/json/free", "port": 80, "state": free["state"], "holder": null, "uses": free["uses"],
            "shared": null, "ports": [80],
            "occupants": free["occupants"], "last_used": last_used,
        })
    );
    let holder = &held["holder"];
    assert_eq!(
        (&held["id"], &held["state"]),
        (&json!("list/json/held"), &json!("held"))
    );
    assert_eq!(held["port"], guard.port());
    assert_eq!(holder["pid"], process::id());
    assert_eq!(holder["test"], holding_test(&store));
    assert!(holder["command"].is_string());
    assert!(
        (before..=now()).contains(&holder["since"].as_u64().unwrap()),
        "{holder}"
    );
    if !wine::tells_whose_a_socket_is() {
        return;
    }
    let pid = format!("\"pid\":{},", process::id());
    // Others tell no more than the program's name.
    let command = if cfg!(target_os = "linux") {
        format!("[{{\"command\":{},", json!(holder["command"]))
    } else {
        "[{\"command\":\"".to_owned()
    };
    let look = || json(&store, &["--list", "--json"])[1]["occupants"].to_string();
    eventually(look, &[&command, &pid]);
}

#[test]
fn who_names_the_holder_and_whoever_listens() {
    let store = Store::new();
    let guard = store.library().guard("list/who").unwrap();
    let port = guard.port().to_string();
    let pid = process::id();
    let who = |port: &str| stdout(&store.run(&["--who", port]).success().stderr(""));
    if !wine::tells_whose_a_socket_is() {
        let held = format!("\nheld by process {pid} (");
        has(&who(&port), &["`list/who`\n", &held]);
        return;
    }
    let (held, occupied) = (
        format!("\nheld by process {pid} ("),
        format!("\nprocess {pid} ("),
    );
    eventually(
        || who(&port),
        &["`list/who`\n", &held, &occupied, "listens on 127.0.0.1:"],
    );

    drop(guard);
    let free = ["`list/who`\n", "not held\n", "no socket has it\n"];
    eventually(|| who(&port), &free);

    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = stranger.local_addr().unwrap().port();
    let taken = ["no name\n", "not held\n", &occupied];
    eventually(|| who(&port.to_string()), &taken);
    let who = json(&store, &["--who", &port.to_string(), "--json"]);
    assert_eq!(who["state"], "occupied");
    assert_eq!(
        (&who["id"], &who["port"], &who["holder"]),
        (&Value::Null, &json!(port), &Value::Null)
    );
    assert!(who["occupants"][0]["pid"].is_u64(), "{who}");
}

#[test]
fn who_makes_no_store() {
    let store = Store::new();
    store.run(&["--who", "1"]).success();
    assert_eq!(store.text(), None);
}
