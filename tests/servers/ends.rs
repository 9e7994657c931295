//! However a test ends, its servers end, and nothing of them is left: on every system.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use port_for::PortFor;
use rstest::rstest;

use crate::children::{deaf, end_as_told, ids, server_of};
use crate::support::child::test_name;
use crate::support::{ChildTest, PATIENCE, TempStore, command, eventually, report, told};

/// Starts a server, and another one by a child of it, and ends as it is told.
#[test]
#[ignore = "a test process for other tests"]
fn test_process() {
    let Some((path, end)) = told() else { return };
    let store = PortFor::open(&path).unwrap();
    let ids = ids(&store, ["direct", "by a child"]);
    let [mut direct, mut by_child] = store.guards(ids.each_ref().map(|id| &**id)).unwrap();
    let addrs = [direct.addr(), by_child.addr()];
    let mut one = direct
        .spawn(&mut server_of(&path, "hello", addrs[0]))
        .unwrap();
    let mut two = by_child
        .spawn(&mut server_of(&path, "hello_by_a_child", addrs[1]))
        .unwrap();
    one.wait_ready(PATIENCE).unwrap();
    two.wait_ready(PATIENCE).unwrap();
    report(format_args!("{} {}", addrs[0], addrs[1]));
    end_as_told(&end, [(direct, one), (by_child, two)]);
}

#[rstest]
fn nothing_is_left_of_servers(#[values("panic", "abort", "kill", "exit", "return")] end: &str) {
    let store = TempStore::new();
    let temp = store.folder().join("temp");
    fs::create_dir(&temp).unwrap();
    let mut process = command(test_name!(test_process), store.path(), end);
    for variable in ["TMPDIR", "TMP", "TEMP"] {
        process.env(variable, &temp);
    }
    let mut process = ChildTest::run(&mut process);
    let addrs = process.line();
    if end == "kill" {
        process.kill();
    } else {
        process.go_on();
        process.ended();
    }
    eventually("the end of the servers", || {
        addrs.split(' ').all(|addr| {
            let addr: SocketAddr = addr.parse().unwrap();
            TcpStream::connect(addr).is_err()
        })
    });
    for id in ids(&store, ["direct", "by a child"]) {
        drop(store.request(&id).timeout(PATIENCE).guard().unwrap());
    }
    // What they printed was kept there.
    eventually("an empty folder", || {
        fs::read_dir(&temp).unwrap().next().is_none()
    });
}

/// Starts two servers with private folders, then ends in the way its parent asks for.
#[cfg(unix)]
#[test]
#[ignore = "a test process for other tests"]
fn with_folders() {
    let Some((path, end)) = told() else { return };
    let store = PortFor::open(&path).unwrap();
    let ids = ids(&store, ["one", "two"]);
    let command = port_for::ServerCommand::new("/bin/sh")
        .args([
            "-c",
            "mkdir {dir}/sub; echo made > {dir}/sub/data; echo up; exec sleep 1000",
        ])
        .ready(port_for::Ready::line("up"));
    let [mut one, mut two] = store.guards(ids.each_ref().map(|id| &**id)).unwrap();
    let servers = [one.start(&command).unwrap(), two.start(&command).unwrap()];
    report("up");
    let [first, second] = servers;
    end_as_told(&end, [(one, first), (two, second)]);
}

#[cfg(unix)]
#[rstest]
fn private_folders_of_servers_are_removed(
    #[values("panic", "abort", "kill", "exit", "return")] end: &str,
) {
    let store = TempStore::new();
    let temp = store.folder().join("temp");
    fs::create_dir(&temp).unwrap();
    let mut process = command(test_name!(with_folders), store.path(), end);
    let mut process = ChildTest::run(process.env("TMPDIR", &temp));
    assert_eq!(process.line(), "up");
    assert_eq!(fs::read_dir(&temp).unwrap().count(), 2);
    if end == "kill" {
        process.kill();
    } else {
        process.go_on();
        process.ended();
    }
    eventually("an empty folder", || {
        fs::read_dir(&temp).unwrap().next().is_none()
    });
}

#[test]
fn a_panicking_test_shows_what_its_server_said() {
    let store = TempStore::new();
    let mut command = command(test_name!(panicking), store.path(), "");
    let output = command.output().unwrap();
    let shown = String::from_utf8_lossy(&output.stderr);
    assert!(shown.contains("its last lines:\n  deaf"), "{shown}");
}

#[test]
#[ignore = "a test process for another test"]
fn panicking() {
    let Some((path, _)) = told() else { return };
    let store = PortFor::open(path).unwrap();
    let [id] = ids(&store, ["deaf"]);
    let mut guard = store.guard(&id).unwrap();
    let mut deaf = guard.spawn(&mut deaf()).unwrap();
    // Until it has said something, which its errors show.
    let has_spoken = |error: port_for::Error| error.to_string().contains("  deaf");
    eventually("what it says", || {
        has_spoken(deaf.wait_ready(Duration::ZERO).unwrap_err())
    });
    panic!("as asked for");
}
