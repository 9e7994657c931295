//! Two stores that give an id the same port: those of two users, of two agents, of two homes.
//!
//! On Linux their guards keep away from each other, whatever the first one does with the port.

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use port_for::{ErrorKind, PortFor, PortGuard};
use rstest::rstest;

use crate::support::TempStore;

/// The port of the second store's id, which is that of the first one's guard.
fn in_second(guard: &PortGuard) -> (TempStore, String) {
    let second = TempStore::new();
    let id = guard.id().unwrap().to_owned();
    let request = second.request(&id).exact_port(guard.port());
    assert_eq!(request.assign().unwrap(), guard.port());
    (second, id)
}

fn try_guard(store: &PortFor, id: &str) -> Result<PortGuard, port_for::Error> {
    store.request(id).timeout(Duration::ZERO).guard()
}

#[rstest]
#[case::held(|_: &mut PortGuard| ())]
#[case::vacated(|guard: &mut PortGuard| assert_eq!(guard.vacate().unwrap(), guard.addr()))]
fn a_guard_has_its_port_in_every_store(#[case] handoff: fn(&mut PortGuard)) {
    let first = TempStore::new();
    let mut guard = first.guard(&first.api).unwrap();
    let (second, id) = in_second(&guard);
    handoff(&mut guard);
    let error = try_guard(&second, &id).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Occupied);
    let pid = format!("process {}", std::process::id());
    assert!(error.to_string().contains(&pid), "{error}");
    drop(guard);
    drop(try_guard(&second, &id).unwrap());
}

#[test]
fn a_vacated_port_is_its_guards_to_bind_and_to_hold_again() {
    let first = TempStore::new();
    let mut guard = first.guard(&first.api).unwrap();
    let (second, id) = in_second(&guard);
    for _ in 0..3 {
        let server = TcpListener::bind(guard.vacate().unwrap()).unwrap();
        let error = try_guard(&second, &id).unwrap_err();
        let said = "a guard has vacated it for its server: process ";
        assert!(error.to_string().contains(said), "{error}");
        drop(server);
        guard.rearm().unwrap();
    }
}

#[cfg(unix)]
#[test]
fn a_child_that_was_given_the_socket_leaves_the_port_to_its_guard() {
    let first = TempStore::new();
    let mut guard = first.guard(&first.api).unwrap();
    let (second, id) = in_second(&guard);
    let mut child = Command::new("sleep");
    let server = guard.spawn_activated(child.arg("600")).unwrap();
    try_guard(&second, &id).unwrap_err();
    drop(server);
    guard.rearm().unwrap();
}

/// It costs them an error, and gives the squatter nothing of ours.
#[cfg(target_os = "linux")]
#[test]
fn a_squatter_on_the_marker_of_a_port_is_named() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener};

    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let name = SocketAddr::from_abstract_name(format!("port-for/{}", guard.port())).unwrap();
    let squatter = UnixListener::bind_addr(&name).unwrap();
    let error = guard.vacate().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Handoff);
    let message = error.to_string();
    let user = format!("user {}", rustix::process::getuid().as_raw());
    for part in ["as its own", &*std::process::id().to_string(), &user] {
        assert!(message.contains(part), "{message:?} lacks {part:?}");
    }
    // Still held, so that no other program has it.
    TcpListener::bind(guard.addr()).unwrap_err();
    drop(squatter);
    guard.vacate().unwrap();
}
