//! `#[port_for(…, start = …)]`.

use std::net::SocketAddr;

use port_for::{PortGuard, Ready, Server, ServerCommand, port_for};

use crate::support::{TempStore, command, told};

fn talker() -> ServerCommand {
    let script = "trap 'echo bye; exit 0' TERM; echo up at {addr}; while :; do sleep 0.05; done";
    ServerCommand::new("/bin/sh")
        .args(["-c", script])
        .ready(Ready::line("up at"))
}

#[port_for("start a", "start b", "start c", "start d", start = talker())]
fn a_server_is_started_for_the_test(a: Server, b: &Server, c: SocketAddr, d: u16) {
    assert!(a.output().unwrap().contains(&a.addr().to_string()));
    assert!(a.is_running() && b.is_running());
    std::net::TcpListener::bind(c).unwrap();
    assert_ne!(c.port(), d);
}

#[port_for]
fn one_parameter_may_have_a_server(
    #[port(start = talker())] mut server: Server,
    _other: PortGuard,
) {
    assert!(!server.stop().unwrap().was_killed());
    assert!(server.output().unwrap().ends_with("bye\n"));
}

#[port_for("failing", start = talker())]
#[ignore = "a test process for another test"]
fn failing(server: Server) -> Result<(), String> {
    if told().is_none() {
        return Ok(());
    }
    assert!(server.is_running());
    Err("as asked for".to_owned())?;
    Ok(())
}

#[test]
fn a_test_that_fails_by_its_result_shows_what_its_server_said() {
    let store = TempStore::new();
    let mut command = command("attribute::failing", store.path(), "");
    command.env("PORT_FOR_STORE", store.path());
    let output = command.output().unwrap();
    let shown = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert_eq!(
        shown.matches("its last lines:\n  up at").count(),
        1,
        "{shown}"
    );
    // It was asked to end.
    assert!(shown.contains("\n  bye"), "{shown}");
}
