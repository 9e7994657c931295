//! A rival that wants the port of a server that is started and stopped without pause.

use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use port_for::PortGuard;
use socket2::{Domain, Socket, Type};

use crate::children::server;
use crate::programs::PATIENCE;
use crate::support::{ChildTest, TempStore, report, told, wait_for_parent};

const SPAWNS: usize = 200;

/// Tries to have the port, by listening on it and by connecting from it, until its parent has heard enough. Reports how
/// often it tried and how often it had the port.
#[test]
#[ignore = "a rival for other tests"]
fn rival() {
    let Some((_, addr)) = told() else { return };
    let addr: SocketAddr = addr.parse().unwrap();
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = elsewhere.local_addr().unwrap().into();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || {
        wait_for_parent();
        drop(stop);
    });
    report("ready");
    let (mut tries, mut had) = (0_u64, 0_u64);
    while stopped.try_recv() != Err(std::sync::mpsc::TryRecvError::Disconnected) {
        for listens in [true, false] {
            // Without SO_REUSEADDR.
            let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None).unwrap();
            tries += 1;
            if socket.bind(&addr.into()).is_err() {
                continue;
            }
            had += 1;
            if listens {
                let _ = socket.listen(1);
            } else if socket.connect(&target).is_ok() {
                drop(elsewhere.accept());
                // Its port is free at once then, for the next try.
                let _ = socket.set_linger(Some(std::time::Duration::ZERO));
            }
        }
    }
    report(format_args!("{tries} {had}"));
}

/// Starts and stops a server [`SPAWNS`] times beside the rival; how often the rival tried, had the port, and the server
/// did not come up.
fn race(before: fn(&mut PortGuard), restart: fn(&mut PortGuard)) -> (u64, u64, usize) {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let addr = guard.addr();
    let mut rival = ChildTest::start("rival::rival", store.path(), &addr.to_string());
    assert_eq!(rival.line(), "ready");
    let mut command: Command = server(&store, "hello", addr);
    let mut failed = 0;
    for _ in 0..SPAWNS {
        before(&mut guard);
        let mut hello = guard.spawn(&mut command).unwrap();
        failed += usize::from(hello.wait_ready(PATIENCE).is_err());
        hello.stop().unwrap();
        restart(&mut guard);
    }
    rival.go_on();
    let counted = rival.line();
    let (tries, had) = counted.split_once(' ').unwrap();
    let (tries, had) = (tries.parse().unwrap(), had.parse().unwrap());
    eprintln!(
        "of {tries} tries {had} had the port, and of {SPAWNS} servers {failed} did not start"
    );
    (tries, had, failed)
}

#[test]
fn a_rival_never_gets_the_port_of_a_server() {
    let (tries, had, failed) = race(|_| {}, |_| {});
    assert!(tries > 10_000, "{tries}");
    assert_eq!((had, failed), (0, 0));
}

#[test]
fn a_rival_never_gets_the_port_between_rearm_and_spawn() {
    let (_, had, failed) = race(|_| {}, |guard| guard.rearm().unwrap());
    assert_eq!((had, failed), (0, 0));
}

/// That the test above would notice.
#[test]
fn a_rival_gets_the_port_when_the_hold_is_released() {
    let (_, had, _) = race(
        |guard| {
            guard.release_hold().unwrap();
        },
        |_| {},
    );
    assert_ne!(had, 0);
}
