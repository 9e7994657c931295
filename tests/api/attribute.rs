//! The attribute, used as people use it.

use port_for::{ErrorKind, PortGuard, port_for};
use rstest::rstest;
use std::net::{SocketAddr, TcpListener};

use crate::support::child::{failure_of, test_name};

#[port_for("attribute/one")]
fn one(mut api: PortGuard) {
    assert_eq!(api.id(), Some("attribute/one"));
    assert_eq!(
        api.take_listener().unwrap().local_addr().unwrap(),
        api.addr()
    );
}

const NUMBER: u16 = 23_911;

#[port_for("attribute/expression", default = NUMBER + 1, host = std::net::Ipv4Addr::LOCALHOST)]
fn options_take_expressions(api: PortGuard, #[port(exact = NUMBER)] number: u16) {
    assert_eq!(number, NUMBER);
    assert!(api.addr().is_ipv4());
}

#[port_for("attribute/a", "attribute/b")]
fn two(a: PortGuard, _: PortGuard) {
    assert_eq!(a.id(), Some("attribute/a"));
}

#[port_for]
fn bare(port: PortGuard) {
    assert_eq!(port.id(), Some("port-for/api::attribute::bare::port"));
}

#[port_for]
#[tokio::test]
async fn tokio_bare(port: &PortGuard) {
    assert_eq!(port.id(), Some("port-for/api::attribute::tokio_bare::port"));
}

#[port_for]
#[rstest]
#[case(1)]
#[case(2)]
fn cases(port: &mut PortGuard, #[case] n: u8) {
    assert_eq!(
        port.id(),
        Some(&*format!("port-for/api::attribute::cases::case_{n}::port"))
    );
}

#[port_for(id = format!("attribute/shard-{n}"))]
#[rstest]
fn shard(#[values(1, 2)] n: u8, port: PortGuard) {
    assert_eq!(port.id(), Some(&*format!("attribute/shard-{n}")));
}

#[port_for]
fn types(listener: TcpListener, addr: SocketAddr, port: u16) {
    assert!(TcpListener::bind(listener.local_addr().unwrap()).is_err());
    TcpListener::bind(addr).unwrap();
    TcpListener::bind(("127.0.0.1", port)).unwrap();
}

#[port_for(timeout = "5s")]
fn marked(
    #[port("attribute/marked", default = 5432)] db: PortGuard,
) -> Result<(), port_for::Error> {
    assert_eq!(db.id(), Some("attribute/marked"));
    port_for::PortFor::shared().map(drop)
}

/// Whether this thread holds `id`.
fn is_held(id: &str) -> bool {
    let ports = port_for::PortFor::shared().unwrap();
    match ports.request(id).on_busy(port_for::OnBusy::Fail).guard() {
        Ok(_) => false,
        Err(error) if matches!(error.kind(), ErrorKind::Deadlock | ErrorKind::Busy) => true,
        Err(error) => panic!("{error}"),
    }
}

/// Says so if `id` is no longer held when this is dropped.
struct HeldUntilDrop(&'static str);

impl Drop for HeldUntilDrop {
    fn drop(&mut self) {
        assert!(is_held(self.0));
    }
}

#[port_for("attribute/outlives")]
fn a_port_outlives_the_bodys_variables(_: PortGuard) {
    let _until = HeldUntilDrop("attribute/outlives");
}

#[port_for("attribute/unnamed", "attribute/number", "attribute/handed")]
fn every_lease_lasts_as_long_as_the_body(_: PortGuard, port: u16, listener: TcpListener) {
    drop(listener);
    assert!(port > 0);
    for id in ["attribute/unnamed", "attribute/number", "attribute/handed"] {
        assert!(is_held(id), "{id}");
    }
}

#[port_for("attribute/dropped")]
fn a_guard_of_ones_own_can_be_dropped_early(api: PortGuard) {
    drop(api);
    assert!(!is_held("attribute/dropped"));
}

#[port_for("attribute/early")]
fn an_early_return_ends_the_test(api: PortGuard) -> Result<(), port_for::Error> {
    if api.port() > 0 {
        return Ok(());
    }
    port_for::guard("").map(drop)?;
    unreachable!()
}

#[port_for("attribute/localhost", host = "localhost", udp)]
fn localhost_and_udp(mut api: PortGuard) {
    let socket = api.take_udp_socket().unwrap();
    assert_eq!(socket.local_addr().unwrap(), api.addr());
    std::net::TcpStream::connect(("localhost", api.port())).unwrap();
}

/// Where the line below this one is.
const FAILS_AT: u32 = line!() + 1;
#[port_for(id = String::from("-invalid"))]
#[ignore = "run by `a_failure_points_at_the_test`"]
fn fails(_: PortGuard) {}

const FAILS_ASYNC_AT: u32 = line!() + 1;
#[port_for(id = String::from("-invalid"))]
#[tokio::test]
#[ignore = "run by `a_failure_points_at_the_test`"]
async fn fails_async(_: PortGuard) {}

#[test]
fn a_failure_points_at_the_test() {
    for (test, line) in [
        (test_name!(fails), FAILS_AT),
        (test_name!(fails_async), FAILS_ASYNC_AT),
    ] {
        let stderr = failure_of(test);
        let place = format!("{}:{line}:", file!());
        assert!(stderr.contains(&place), "{place} is not in: {stderr}");
        assert!(stderr.contains("-invalid"), "{stderr}");
    }
}
