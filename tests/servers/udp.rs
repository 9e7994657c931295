//! UDP ports, held beside the TCP port of the same number.

use std::net::UdpSocket;
use std::time::Duration;

use port_for::{ErrorKind, PortGuard};

use crate::support::wait::eventually;
use crate::support::{TempStore, wine};

fn guard(store: &TempStore) -> PortGuard {
    store.request(&store.api).udp().guard().unwrap()
}

/// A socket on a port that a guard has just closed. While another test forks, the child keeps a copy for some milliseconds.
fn bind_once_closed(addr: std::net::SocketAddr) -> UdpSocket {
    let mut bound = None;
    eventually("the port is free", || {
        match UdpSocket::bind(addr) {
            Ok(socket) => bound = Some(socket),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse),
        }
        bound.is_some()
    });
    bound.unwrap()
}

#[test]
fn udp_is_held_when_asked_for() {
    let store = TempStore::new();
    let guard = guard(&store);
    let denied = UdpSocket::bind(guard.addr()).unwrap_err();
    assert_eq!(denied.kind(), std::io::ErrorKind::AddrInUse);
    let addr = guard.addr();
    drop(guard);
    bind_once_closed(addr);
}

#[test]
fn udp_is_not_held_when_not_asked_for() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    bind_once_closed(guard.addr());
    assert_eq!(
        guard.take_udp_socket().unwrap_err().kind(),
        ErrorKind::Handoff
    );
}

#[test]
fn a_taken_udp_socket_serves_beside_the_taken_listener() {
    let store = TempStore::new();
    let mut guard = guard(&store);
    let _listener = guard.take_listener().unwrap();
    let socket = guard.take_udp_socket().unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.send_to(b"ping", guard.addr()).unwrap();
    let mut heard = [0; 8];
    let (length, from) = socket.recv_from(&mut heard).unwrap();
    assert_eq!(
        (&heard[..length], from),
        (&b"ping"[..], client.local_addr().unwrap())
    );

    let error = guard.take_udp_socket().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Handoff);
    assert!(error.to_string().contains("already taken"), "{error}");
}

#[test]
fn a_vacated_udp_port_can_be_bound_and_held_again() {
    let store = TempStore::new();
    let mut guard = guard(&store);
    let addr = guard.vacate().unwrap();
    let error = guard.take_udp_socket().unwrap_err();
    assert!(
        error.to_string().contains("has vacated the port"),
        "{error}"
    );
    let server = bind_once_closed(addr);
    let error = guard.rearm().unwrap_err();
    assert!(error.to_string().contains("has UDP 127.0.0.1:"), "{error}");
    drop(server);
    guard.rearm().unwrap();
    guard.take_udp_socket().unwrap();
}

#[test]
fn a_udp_socket_that_was_taken_and_closed_can_be_held_again() {
    let store = TempStore::new();
    let mut guard = guard(&store);
    let socket = guard.take_udp_socket().unwrap();
    let error = guard.rearm().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Handoff);
    assert!(error.to_string().contains("has UDP 127.0.0.1:"), "{error}");
    // For TCP, nothing has changed.
    std::net::TcpStream::connect(guard.addr()).unwrap();
    drop(socket);
    guard.rearm().unwrap();
    UdpSocket::bind(guard.addr()).unwrap_err();
    guard.take_udp_socket().unwrap();
}

#[test]
fn a_udp_port_is_held_on_where_the_tcp_port_cannot_be_held_again() {
    let store = TempStore::new();
    let mut guard = guard(&store);
    let listener = guard.take_listener().unwrap();
    assert_eq!(guard.rearm().unwrap_err().kind(), ErrorKind::Handoff);
    UdpSocket::bind(guard.addr()).unwrap_err();
    drop(listener);
    guard.rearm().unwrap();
    guard.take_udp_socket().unwrap();
}

#[test]
fn a_stranger_with_the_udp_port_is_named() {
    let store = TempStore::new();
    let addr = guard(&store).addr();
    let _stranger = bind_once_closed(addr);
    let request = store.request(&store.api).udp().timeout(Duration::ZERO);
    let error = request.guard().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Occupied);
    let named = format!("process {}", std::process::id());
    if wine::tells_whose_a_socket_is() {
        assert!(error.to_string().contains(&named), "{error}");
    }
    // Who does not ask for UDP is not concerned.
    drop(store.guard(&store.api).unwrap());
}

#[test]
fn localhost_has_udp_at_both_loopbacks() {
    let store = TempStore::new();
    let guard = store
        .request(&store.api)
        .host("localhost")
        .udp()
        .guard()
        .unwrap();
    for ip in ["127.0.0.1", "::1"] {
        // Without IPv6 it cannot be had either.
        UdpSocket::bind((ip, guard.port())).unwrap_err();
    }
}
