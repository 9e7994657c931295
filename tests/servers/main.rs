//! Ports handed to real servers.

#![allow(
    clippy::disallowed_methods,
    reason = "tests talk to their children by environment"
)]
#![allow(missing_docs, unreachable_pub)]

#[path = "../support/mod.rs"]
mod support;

use std::process::Command;
use std::time::Duration;
#[test]
fn smoke() {
    let store = support::TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let port = guard.port().to_string();
    let mut server = guard
        .spawn(Command::new("redis-server").args(["--save", "", "--port", &port]))
        .unwrap();
    server.wait_ready(Duration::from_secs(20)).unwrap();
    println!("{:?}", server.stop());
    let mut server = guard
        .spawn(Command::new("python3").args(["-m", "http.server", "--bind", "127.0.0.1", &port]))
        .unwrap();
    server.wait_ready(Duration::from_secs(20)).unwrap();
    println!("{:?}", support::get(guard.addr()).len());
    println!("{:?}", server.stop());
    let e = guard.spawn(&mut Command::new("nonesuch")).unwrap_err();
    println!("{e}");
    let e = guard
        .spawn(&mut Command::new("false"))
        .unwrap()
        .wait_ready(Duration::from_secs(9))
        .unwrap_err();
    println!("{e}");
    let e = guard
        .spawn(Command::new("sh").args(["-c", "echo hey; exec sleep 10"]))
        .unwrap()
        .wait_ready(Duration::from_secs(1))
        .unwrap_err();
    println!("{e}");
    guard.rearm().unwrap();
    let e = guard
        .spawn_activated(Command::new("sh").args([
            "-c",
            "env | grep LISTEN; echo $$; ls -l /proc/$$/fd; exit 3",
        ]))
        .unwrap()
        .wait_until(Duration::from_secs(1), |_| false)
        .unwrap_err();
    println!("{e}");
}
