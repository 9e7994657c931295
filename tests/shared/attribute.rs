//! `#[port_for(…, shared = …)]`, and fixtures of rstest.

use std::net::SocketAddr;
use std::path::PathBuf;

use port_for::{PortFor, PortGuard, ServerCommand, SharedServer, port_for};
use rstest::{fixture, rstest};

use crate::server::{ask, recipe};
use crate::support::{command, told};

/// The same for all tests of this program, and for two runs of it at once.
fn server() -> ServerCommand {
    recipe(&PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("shared-attribute"))
}

#[port_for("shared/attribute", shared = server())]
fn a_test_takes_it(server: SharedServer) {
    assert_eq!(ask(server.addr()).unwrap(), server.id());
}

#[port_for("shared/attribute", shared = server())]
fn a_test_borrows_it(server: &SharedServer) {
    assert_eq!(ask(server.addr()).unwrap(), server.id());
}

#[port_for("shared/attribute", shared = server())]
fn its_address_is_enough(server: SocketAddr) {
    ask(server).unwrap();
}

#[port_for("shared/attribute", shared = server())]
fn its_port_is_enough(server: u16) {
    ask(([127, 0, 0, 1], server).into()).unwrap();
}

#[port_for("shared/beside it")]
fn a_port_of_the_tests_own_stands_beside_it(
    own: PortGuard,
    #[port("shared/attribute", shared = server())] server: u16,
) {
    assert_ne!(own.port(), server);
}

#[cfg(feature = "tokio")]
#[port_for("shared/attribute", shared = server())]
#[tokio::test]
async fn an_async_test_takes_it(server: SharedServer) {
    assert!(server.is_running());
}

#[port_for("shared/attribute", shared = server())]
#[should_panic(expected = "the port of a shared server is its keeper's")]
fn it_is_no_guard(server: PortGuard) {
    let _ = server.port();
}

#[port_for("shared/no server")]
#[should_panic(expected = "where the attribute says `shared = …`")]
fn a_port_is_no_shared_server(server: SharedServer) {
    let _ = server.port();
}

#[port_for("shared/attribute", shared = server())]
#[ignore = "a test process for another test"]
fn fails(server: SharedServer) -> Result<(), String> {
    if told().is_none() {
        return Ok(());
    }
    crate::support::eventually("its first line", || {
        server.output().unwrap().contains("serves at")
    });
    Err("as asked for".to_owned())
}

#[test]
fn a_test_that_fails_by_its_result_shows_what_it_said() {
    let output = command("attribute::fails", "-".as_ref(), "")
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert_eq!(shown.matches("serves at").count(), 1, "{shown}");
}

fn started() -> SharedServer {
    let request = PortFor::shared().unwrap().request("shared/attribute");
    request.start_shared(&server()).unwrap()
}

#[fixture]
fn of_the_test() -> SharedServer {
    started()
}

#[fixture]
#[once]
fn of_the_process() -> SharedServer {
    started()
}

#[rstest]
fn a_fixture_gives_it(
    of_the_test: SharedServer,
    of_the_process: &SharedServer,
    #[values(1, 2)] case: u8,
) {
    assert_eq!(of_the_test.id(), of_the_process.id(), "case {case}");
}
