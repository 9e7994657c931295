//! Whether a single port is used, and whether it is available.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use port_for::PortSet;
use port_for::ports::{is_available, is_used, pick};
use rstest::rstest;
use socket2::{Domain, Socket, Type};

/// A socket as another program might have it, on a port of the system's choice; `None` on a machine
/// without IPv6.
fn strangers_socket(kind: Type, addr: &str, reuse: bool) -> Option<(Socket, SocketAddr)> {
    let addr: SocketAddr = addr.parse().unwrap();
    if addr.is_ipv6() && TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        return None;
    }
    let socket = Socket::new(Domain::for_address(addr), kind, None).unwrap();
    if addr.is_ipv6() {
        socket.set_only_v6(true).unwrap();
    }
    socket.set_reuse_address(reuse).unwrap();
    socket.bind(&addr.into()).unwrap();
    let addr = socket.local_addr().unwrap().as_socket().unwrap();
    Some((socket, addr))
}

#[rstest]
#[case(Type::STREAM, "127.0.0.1:0")]
#[case(Type::STREAM, "0.0.0.0:0")]
#[case(Type::STREAM, "[::1]:0")]
#[case(Type::STREAM, "[::]:0")]
#[case(Type::DGRAM, "127.0.0.1:0")]
#[case(Type::DGRAM, "0.0.0.0:0")]
#[case(Type::DGRAM, "[::1]:0")]
#[case(Type::DGRAM, "[::]:0")]
#[cfg_attr(target_os = "linux", case(Type::STREAM, "127.0.0.2:0"))]
#[cfg_attr(target_os = "linux", case(Type::DGRAM, "127.0.0.2:0"))]
fn is_not_picked_while_any_socket_has_it(
    #[case] kind: Type,
    #[case] addr: &str,
    #[values(false, true)] reuse: bool,
) {
    let Some((_socket, addr)) = strangers_socket(kind, addr, reuse) else {
        return;
    };
    assert_eq!(pick(&PortSet::from([addr.port()])).unwrap(), None);
}

#[rstest]
#[case("127.0.0.1:0")]
#[case("0.0.0.0:0")]
#[case("[::1]:0")]
#[case("[::]:0")]
fn is_used_where_a_socket_has_it_listening_or_not(
    #[case] addr: &str,
    #[values(false, true)] reuse: bool,
) {
    let Some((socket, addr)) = strangers_socket(Type::STREAM, addr, reuse) else {
        return;
    };
    assert!(is_used(addr), "bound");
    socket.listen(1).unwrap();
    assert!(is_used(addr), "listening");
}

#[test]
fn is_used_at_the_loopback_where_a_socket_has_it_at_the_wildcard() {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    assert!(is_used((Ipv4Addr::LOCALHOST, port)));
    assert!(
        is_used((Ipv4Addr::LOCALHOST.to_ipv6_mapped(), port)),
        "the same address, mapped"
    );
}

#[test]
fn is_free_as_soon_as_its_socket_is_closed() {
    // Outside the pool, where other tests get theirs, and the ephemeral ports. Still another program
    // may come and take one: it would have to do so ten times.
    let quiet = &PortSet::from(10_000..=32_000) - &PortSet::unassigned();
    let freed = (0..10).any(|_| {
        let port = pick(&quiet).unwrap().unwrap();
        let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) else {
            return false;
        };
        let addr = listener.local_addr().unwrap();
        assert!(is_used(addr));
        drop(listener);
        !is_used(addr) && pick(&PortSet::from([port])).unwrap() == Some(port)
    });
    assert!(freed);
}

#[rstest]
#[case::http(80)]
#[case::memcached(11211)]
#[case::discard(9)]
#[case::no_port_at_all(0)]
fn that_is_assigned_is_not_available(#[case] port: u16) {
    assert!(!is_available(port));
}

#[test]
fn is_available_until_a_socket_has_it() {
    let available = PortSet::available(..);
    let seen = (0..10).any(|_| {
        let port = pick(&available).unwrap().unwrap();
        let before = is_available(port);
        let Ok(_listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) else {
            return false;
        };
        assert!(!is_available(port));
        before
    });
    assert!(seen);
}

#[test]
fn of_the_system_is_used_where_this_user_may_not_bind_it() {
    let addr = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 10));
    if TcpListener::bind(addr).is_err() {
        assert!(is_used(addr));
    }
    assert!(!is_available(10));
}
