//! A program that takes ports without asking, beside processes that hold guards.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use port_for::{PortFor, PortSet};

use crate::support::child::test_name;
use crate::support::{ChildTest, TempStore, report, told, wait_for_parent};

const PROCESSES: usize = 8;
/// Fewer where Wine takes several times as long over each.
const GUARDS: usize = if cfg!(windows) { 200 } else { 2_000 };
/// So few ports that each process meets the rival time and again.
const POOL: std::ops::RangeInclusive<u16> = 62_000..=62_063;

/// Acquires and releases guards of ids of its own; each must reach itself alone.
#[test]
#[ignore = "a child of other tests"]
fn child_acquires() {
    let Some((store, name)) = told() else { return };
    let store = PortFor::open(store).unwrap();
    report("ready");
    wait_for_parent();
    for n in 0..GUARDS {
        let id = format!("{name}-{}", n % 4);
        let mut guard = store
            .request(&id)
            .ports(PortSet::from(POOL))
            .guard()
            .unwrap();
        let listener = guard.take_listener().unwrap();
        let client = TcpStream::connect(guard.addr()).unwrap();
        let (_, peer) = listener.accept().unwrap();
        assert_eq!(
            peer,
            client.local_addr().unwrap(),
            "another process answers on our port"
        );
    }
    report("done");
}

/// Binds and listens on random ports of the pool for a millisecond each, as a program that does not know of leases.
fn rival(stop: &AtomicBool) -> u32 {
    let pool = PortSet::from(POOL);
    let mut bound = 0;
    while !stop.load(Ordering::Acquire) {
        let port = pool.choose_random().unwrap();
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            bound += 1;
            // As long as a program that looks for a port has it.
            thread::sleep(Duration::from_millis(1));
            drop(listener);
        }
    }
    bound
}

#[test]
fn no_guard_is_given_a_port_that_a_rival_holds_and_none_fails() {
    let store = TempStore::new();
    let mut children: Vec<_> = (0..PROCESSES)
        .map(|n| ChildTest::start(test_name!(child_acquires), store.path(), &n.to_string()))
        .collect();
    for child in &mut children {
        assert_eq!(child.line(), "ready");
    }
    // To the children, a thread of this process is a stranger like any other.
    let stop = Arc::new(AtomicBool::new(false));
    let rival = thread::spawn({
        let stop = Arc::clone(&stop);
        move || rival(&stop)
    });
    children.iter_mut().for_each(ChildTest::go_on);
    for mut child in children {
        assert_eq!(child.line(), "done");
        child.join();
    }
    stop.store(true, Ordering::Release);
    let bound = rival.join().unwrap();
    assert!(
        bound > 100,
        "the rival took only {bound} ports, and tried nothing"
    );
    println!(
        "{} guards beside {bound} binds of a rival",
        PROCESSES * GUARDS
    );
}
