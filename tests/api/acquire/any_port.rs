//! Ports without an id: any, and a number.

use std::collections::HashSet;
use std::net::TcpListener;
use std::path::Path;
use std::thread;
use std::time::Duration;

use port_for::{ErrorKind, OnBusy, PortSet};

use crate::support::child::test_name;
#[cfg(unix)]
use crate::support::privileges;
use crate::support::{ChildTest, TempStore, command};

#[test]
fn any_port_is_a_free_one_of_the_pool_and_nothing_is_remembered() {
    let store = TempStore::new();
    let guards = store.guard_all((0..100).map(|_| store.any())).unwrap();
    let ports: HashSet<_> = guards.iter().map(port_for::PortGuard::port).collect();
    assert_eq!(ports.len(), 100);
    let good = PortSet::good();
    assert!(ports.iter().all(|&port| good.contains(port)));
    assert!(guards.iter().all(|guard| guard.id().is_none()));
    assert!(store.assignments().unwrap().is_empty());
}

#[test]
fn any_port_passes_over_what_is_assigned_held_or_occupied() {
    let passes = command(test_name!(passes_over), Path::new("-"), "");
    #[cfg(unix)]
    let passes = privileges::alone(&passes);
    let mut passes = passes;
    ChildTest::run(&mut passes).join();
}

/// Three ports are all there are: a stranger on one of them would be one too many.
#[test]
#[ignore = "run by another test"]
fn passes_over() {
    let store = TempStore::new();
    let assigned = store.forward_port(&store.api, 0).unwrap();
    let pool: PortSet = PortSet::good()
        .iter()
        .filter(|&port| port != assigned)
        .take(3)
        .collect();
    let [held, occupied, free] = pool.iter().collect::<Vec<_>>().try_into().unwrap();
    let _held = store.port(held).guard().unwrap();
    let _occupied = TcpListener::bind(("127.0.0.1", occupied)).unwrap();
    let mut with_assigned = pool.clone();
    with_assigned.insert(assigned);
    let guard = store.any().ports(with_assigned.clone()).guard().unwrap();
    assert_eq!(guard.port(), free);
    // And nothing is waited for.
    let error = store.any().ports(with_assigned).guard().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exhausted, "{error}");
    assert_eq!(error.id(), None);
}

#[test]
fn users_of_a_number_take_turns_with_each_other_and_with_its_id() {
    let store = TempStore::new();
    let first = store.guard(&store.api).unwrap();
    let number = first.port();
    let busy = store
        .port(number)
        .on_busy(OnBusy::Fail)
        .guard()
        .unwrap_err();
    assert_eq!(
        (busy.kind(), busy.id(), busy.port()),
        (ErrorKind::Busy, None, Some(number))
    );
    let ports = store.reopened();
    let waiter = thread::spawn(move || ports.port(number).guard().map(drop));
    drop(first);
    waiter.join().unwrap().unwrap();
    let second = store.port(number).guard().unwrap();
    assert_eq!((second.port(), second.id()), (number, None));
}

#[test]
fn port_zero_is_no_port_to_ask_for() {
    let store = TempStore::new();
    let error = store.port(0).guard().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.to_string().contains("1 to 65535"), "{error}");
    let error = store.any().assign().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(store.assignments().unwrap().is_empty());
}

#[test]
fn a_port_kept_for_a_test_is_leased_until_its_thread_ends() {
    let store = TempStore::new();
    let (ports, id) = (store.reopened(), store.api.clone());
    let (tell, told) = std::sync::mpsc::channel();
    let (end, ends) = std::sync::mpsc::channel::<()>();
    let test = thread::spawn(move || {
        let addr = ports.guard(&id).unwrap().keep_for_test().unwrap();
        // It cannot wait for itself.
        let error = ports.guard(&id).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Deadlock);
        let _server = TcpListener::bind(addr).unwrap();
        tell.send(addr).unwrap();
        ends.recv().unwrap_err();
    });
    let addr = told.recv().unwrap();
    let glance = || store.request(&store.api).timeout(Duration::ZERO).guard();
    assert_eq!(glance().unwrap_err().kind(), ErrorKind::Busy);
    drop(end);
    test.join().unwrap();
    assert_eq!(store.guard(&store.api).unwrap().addr(), addr);
}

#[cfg(unix)] // On Windows, lock files are not removed.
#[test]
fn lease_files_of_ports_without_an_id_do_not_add_up() {
    let store = TempStore::new();
    for _ in 0..2_000 {
        drop(store.any().guard().unwrap());
    }
    let files = std::fs::read_dir(store.leases()).unwrap().count();
    assert!(files < 1_000, "{files} files");
}

#[test]
fn an_available_port_from_zero_on_is_one_of_the_pool() {
    let store = TempStore::new();
    let guard = store.available_port(0).unwrap();
    assert!(PortSet::good().contains(guard.port()));
    assert_eq!(guard.id(), None);
}

/// Another store's guards have them: their leases say nothing here.
#[test]
fn an_available_port_is_found_behind_ports_that_others_have_vacated() {
    let (store, other) = (TempStore::new(), TempStore::new());
    let mut first = other.any().guard().unwrap();
    let mut vacated = Vec::new();
    // As many in a row as no other program has.
    for port in first.port() + 1..first.port().saturating_add(100) {
        let Ok(mut guard) = other.port(port).on_busy(OnBusy::Fail).guard() else {
            break;
        };
        guard.vacate().unwrap();
        vacated.push(guard);
    }
    first.vacate().unwrap();
    let last = vacated.last().unwrap_or(&first).port();
    let found = store.available_port(first.port()).unwrap();
    if cfg!(target_os = "linux") {
        assert!(found.port() > last, "{} <= {last}", found.port());
    }
}
