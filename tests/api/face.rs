//! What the types of the public face can do beyond their methods.

use std::fmt::Debug;
use std::hash::Hash;
use std::io;

use port_for::{
    Assignment, Error, ErrorKind, Holder, Host, Occupant, OnBusy, ParseHostError, PortFor,
    PortGuard, PortSet, Request, Server,
};
use rstest::rstest;

use crate::support::TempStore;

#[test]
fn types_have_the_traits_that_users_expect() {
    fn value<T: Debug + Clone + Eq + Hash + Send + Sync + 'static>() {}
    fn thing<T: Debug + Send + Sync + 'static>() {}
    value::<Assignment>();
    value::<ErrorKind>();
    value::<Holder>();
    value::<Host>();
    value::<Occupant>();
    value::<OnBusy>();
    value::<ParseHostError>();
    value::<PortSet>();
    thing::<Error>();
    thing::<PortFor>();
    thing::<PortGuard>();
    thing::<Request>();
    thing::<Server>();
}

#[test]
fn a_guard_stands_in_a_text_as_its_port() {
    let ports = TempStore::new();
    let guard = ports.guard("api").unwrap();
    assert_eq!(format!("{guard}"), guard.port().to_string());
    assert_eq!(format!("{guard:>6}"), format!("{:>6}", guard.port()));
}

#[test]
fn a_request_moves_into_a_thread() {
    let ports = TempStore::new();
    let request = ports.request("api").udp();
    let guard = std::thread::spawn(|| request.guard()).join().unwrap();
    assert_eq!(guard.unwrap().id(), Some("api"));
}

#[test]
fn guard_all_gives_guards_in_the_order_of_the_requests() {
    let ports = TempStore::new();
    let ids: Vec<_> = (0..20).map(|n| format!("node-{n}")).collect();
    let guards = ports
        .guard_all(ids.iter().rev().map(|id| ports.request(id)))
        .unwrap();
    let got: Vec<_> = guards.iter().map(|guard| guard.id().unwrap()).collect();
    assert!(got.iter().eq(ids.iter().rev()));
    drop(guards);
    assert!(ports.guard_all([]).unwrap().is_empty());
    assert!(port_for::guard_all([]).unwrap().is_empty());
}

#[test]
fn guard_all_takes_all_or_none() {
    let ports = TempStore::new();
    let taken = ports.guard("node-2").unwrap();
    let request = |n: u8| {
        let request = ports.request(&format!("node-{n}"));
        request.on_busy(OnBusy::Fail)
    };
    let error = std::thread::scope(|scope| {
        let all = scope.spawn(|| ports.guard_all((0..4).map(request)));
        all.join().unwrap().unwrap_err()
    });
    assert_eq!(error.kind(), ErrorKind::Busy);
    drop(taken);
    // What was acquired before the one that failed is free.
    assert_eq!(ports.guard_all((0..4).map(request)).unwrap().len(), 4);
}

#[test]
fn guard_all_refuses_a_request_of_another_store() {
    let (ours, other) = (TempStore::new(), TempStore::new());
    let requests = || [ours.request("a"), other.request("b")];
    for error in [
        ours.guard_all(requests()).unwrap_err(),
        port_for::guard_all(requests()).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert_eq!(error.id(), Some("b"));
        assert_eq!(error.path(), Some(other.path()));
        assert!(
            error
                .to_string()
                .contains(&ours.path().display().to_string())
        );
    }
    assert!(ours.assignments().unwrap().is_empty());
}

#[rstest]
#[case("127.0.0.1")]
#[case("::")]
#[case("localhost")]
fn a_host_is_shown_as_it_is_written(#[case] text: &str) {
    assert_eq!(text.parse::<Host>().unwrap().to_string(), text);
}

#[test]
fn an_error_tells_its_parts() {
    let ports = TempStore::new();
    let guard = ports.guard("api").unwrap();
    let waiter = std::thread::scope(|scope| {
        let request = ports.request("api").on_busy(OnBusy::Fail);
        scope.spawn(|| request.guard()).join().unwrap()
    });
    let error = waiter.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert_eq!(error.id(), Some("api"));
    assert_eq!(error.port(), Some(guard.port()));
    assert!(error.path().unwrap().ends_with(format!("{guard}.lock")));
    assert_eq!(error.holder().unwrap().pid(), Some(std::process::id()));
    let invalid = ports.guard("").unwrap_err();
    assert_eq!(
        (
            invalid.id(),
            invalid.port(),
            invalid.path(),
            invalid.holder()
        ),
        (Some(""), None, None, None)
    );
}

#[test]
fn an_error_becomes_one_of_io_and_stays_inside() {
    let ports = TempStore::new();
    for (error, kind) in [
        (ports.guard("").unwrap_err(), io::ErrorKind::InvalidInput),
        (
            ports.guards(["a", "a"]).unwrap_err(),
            io::ErrorKind::Deadlock,
        ),
        (
            ports.request("a").host("nowhere").guard().unwrap_err(),
            io::ErrorKind::InvalidInput,
        ),
    ] {
        let (message, its_kind) = (error.to_string(), error.kind());
        let error = io::Error::from(error);
        assert_eq!((error.kind(), error.to_string()), (kind, message));
        let inside = error.get_ref().unwrap().downcast_ref::<Error>().unwrap();
        assert_eq!(inside.kind(), its_kind);
    }
}

#[test]
fn kinds_are_shown_in_a_few_words() {
    assert_eq!(ErrorKind::Exhausted.to_string(), "no port left");
    assert_eq!(ErrorKind::NotReady.to_string(), "server not ready");
}
