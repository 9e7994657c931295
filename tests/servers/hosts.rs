//! Where ports are held.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use port_for::{ErrorKind, Host};
use rstest::rstest;

use crate::children::{greeting, server};
use crate::support::{PATIENCE, TempStore};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

fn has_v6() -> bool {
    TcpListener::bind((V6, 0)).is_ok()
}

fn accepts(ip: IpAddr, port: u16) -> bool {
    TcpStream::connect((ip, port)).is_ok()
}

#[rstest]
#[case("127.0.0.1", true, false)]
#[case("0.0.0.0", true, false)]
#[case("::1", false, true)]
#[case("::", false, true)]
#[case("localhost", true, true)]
#[case("LocalHost", true, true)]
fn a_port_is_held_at_its_host(#[case] host: &str, #[case] v4: bool, #[case] v6: bool) {
    if !has_v6() && !v4 {
        return;
    }
    let store = TempStore::new();
    let mut guard = store.request(&store.api).host(host).guard().unwrap();
    let port = guard.port();
    assert_eq!((accepts(V4, port), accepts(V6, port)), (v4, v6 && has_v6()));
    // Vacated everywhere, and held again everywhere.
    guard.vacate().unwrap();
    assert_eq!((accepts(V4, port), accepts(V6, port)), (false, false));
    guard.rearm().unwrap();
    assert_eq!((accepts(V4, port), accepts(V6, port)), (v4, v6 && has_v6()));
    let addr = guard.addr();
    drop(guard);
    for ip in [V4, V6].into_iter().filter(|ip| ip.is_ipv4() || has_v6()) {
        TcpListener::bind((ip, addr.port())).unwrap();
    }
}

#[rstest]
#[case("127.0.0.1")]
#[case("0.0.0.0")]
#[case("::1")]
#[case("::")]
#[case("localhost")]
fn a_server_is_ready_at_its_host(#[case] host: &str) {
    if !has_v6() && host.contains(':') {
        return;
    }
    let store = TempStore::new();
    let mut guard = store.request(&store.api).host(host).guard().unwrap();
    let mut hello = guard
        .spawn(&mut server(&store, "hello", guard.addr()))
        .unwrap();
    hello.wait_ready(PATIENCE).unwrap();
    assert_eq!(greeting(guard.addr()), "hello");
    hello.stop().unwrap();
    guard.rearm().unwrap();
}

#[test]
fn a_server_at_a_wildcard_is_ready_at_a_loopback_address() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let everywhere = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), guard.port());
    let mut hello = guard
        .spawn(&mut server(&store, "hello", everywhere))
        .unwrap();
    hello.wait_ready(PATIENCE).unwrap();
    assert_eq!(greeting(guard.addr()), "hello");
}

#[test]
fn localhost_hands_the_older_family_over_and_refuses_at_the_other() {
    let store = TempStore::new();
    let mut guard = store.request(&store.api).host("localhost").guard().unwrap();
    assert_eq!(guard.addr().ip(), V4);
    let listener = guard.take_listener().unwrap();
    assert_eq!(listener.local_addr().unwrap(), guard.addr());
    assert!(!accepts(V6, guard.port()));
    drop(listener);
    guard.rearm().unwrap();
    assert_eq!(accepts(V6, guard.port()), has_v6());
}

#[test]
fn localhost_is_occupied_when_either_loopback_is() {
    let store = TempStore::new();
    let port = store.forward_port(&store.api, 0).unwrap();
    for ip in [V4, V6].into_iter().filter(|ip| ip.is_ipv4() || has_v6()) {
        let _stranger = TcpListener::bind((ip, port)).unwrap();
        let request = store.request(&store.api).host("localhost");
        let error = request.timeout(Duration::ZERO).guard().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Occupied);
    }
}

#[test]
fn a_host_that_is_no_address_is_refused_before_anything_is_written() {
    let store = TempStore::new();
    for host in ["example.com", "", "127.0.0.1:80"] {
        let error = store.request(&store.api).host(host).guard().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.to_string().contains(&format!("{host:?}")), "{error}");
    }
    assert!(store.assignments().unwrap().is_empty());
}

#[test]
fn a_host_is_made_of_an_address_or_its_text() {
    for ip in [V4, V6] {
        assert_eq!(Host::from(ip), ip.to_string().parse().unwrap());
    }
    assert_eq!(Host::default(), Host::try_from("127.0.0.1").unwrap());
    assert_ne!(Host::try_from("localhost").unwrap(), Host::from(V4));
}
