//! A rival that wants the port of a server that is started and stopped without pause.

use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use port_for::PortGuard;
use socket2::{Domain, Socket, Type};

use crate::children::server;
use crate::support::child::test_name;
use crate::support::{ChildTest, PATIENCE, TempStore, report, told, wait_for_parent};

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

/// What came of a race.
#[derive(Debug)]
struct Race {
    /// How often the rival tried, and how often it had the port.
    tries: u64,
    had: u64,
    /// How many servers did not come up.
    failed: usize,
}

/// Starts and stops a server again and again beside the rival.
fn race(rounds: usize, prepare: fn(&mut PortGuard, usize)) -> Race {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let addr = guard.addr();
    let mut rival = ChildTest::start(test_name!(rival), store.path(), &addr.to_string());
    assert_eq!(rival.line(), "ready");
    let mut hello: Command = server(&store, "hello", addr);
    let mut failed = 0;
    for round in 0..rounds {
        prepare(&mut guard, round);
        let mut server = guard.spawn(&mut hello).unwrap();
        let is_up = server.wait_ready(PATIENCE).is_ok();
        server.stop().unwrap();
        failed += usize::from(!is_up);
    }
    rival.go_on();
    let counted = rival.line();
    let (tries, had) = counted.split_once(' ').unwrap();
    let (tries, had) = (tries.parse().unwrap(), had.parse().unwrap());
    let race = Race { tries, had, failed };
    eprintln!("{rounds} servers: {race:?}");
    race
}

/// Half of the time the port is held again between two servers.
#[test]
fn a_rival_never_gets_the_port_in_200_spawns() {
    let race = race(200, |guard, round| {
        if round % 2 == 1 {
            guard.rearm().unwrap();
        }
    });
    assert!(race.tries > 10_000, "{race:?}");
    assert_eq!((race.had, race.failed), (0, 0));
}

/// The test above would notice.
#[test]
fn a_rival_gets_the_port_when_the_hold_is_closed() {
    let race = race(10, |guard, _| {
        guard.close_hold().unwrap();
    });
    assert_ne!(race.had, 0);
}
