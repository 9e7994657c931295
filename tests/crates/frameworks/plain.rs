//! Without a framework.

use port_for::{PortGuard, port_for};
use std::net::{SocketAddr, TcpListener};

use crate::converse;

#[port_for("frameworks/shared")]
fn alone(mut api: PortGuard) {
    converse(&api.take_listener().unwrap(), "plain");
}

#[port_for]
#[test]
fn with_test(listener: TcpListener) {
    converse(&listener, "plain");
}

#[port_for]
fn a_server_may_bind_by_itself(addr: SocketAddr, port: u16) {
    converse(&TcpListener::bind(addr).unwrap(), "addr");
    converse(&TcpListener::bind(("127.0.0.1", port)).unwrap(), "port");
}

#[port_for("frameworks/a", "frameworks/b")]
fn one_order(a: TcpListener, b: TcpListener) {
    converse(&a, "a");
    converse(&b, "b");
}

#[port_for("frameworks/b", "frameworks/a")]
fn the_other_order(b: TcpListener, a: TcpListener) {
    converse(&a, "a");
    converse(&b, "b");
}

#[port_for]
fn a_result(listener: TcpListener) -> std::io::Result<()> {
    converse(&listener, "result");
    listener.local_addr().map(drop)
}

#[port_for]
#[should_panic(expected = "on purpose")]
fn a_panic(listener: TcpListener) {
    converse(&listener, "panic");
    panic!("on purpose");
}
