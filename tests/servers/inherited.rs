//! Programs that were started with sockets, by us or by others.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use port_for::{ErrorKind, PortFor};
use socket2::{Domain, Socket, Type};

use crate::children::{greeting, try_greeting};
use crate::exit::in_a_fork;
use crate::support::child::test_name;
use crate::support::{PATIENCE, TempStore, command, eventually, in_shell, report, told};

/// A child that finds its socket by `how`, greets one client after another, and tells what it has seen.
#[test]
#[ignore = "a program for other tests"]
fn program() {
    let Some((store, how)) = told() else { return };
    let (id, how) = how.rsplit_once('|').unwrap();
    for variable in ["LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID"] {
        assert!(
            std::env::var_os(variable).is_none(),
            "{variable} is still there"
        );
    }
    let (listener, _guard) = match how {
        "inherited" => (port_for::inherited(id).unwrap(), None),
        "guard" => {
            let ports = PortFor::open(store).unwrap();
            // A port that is demanded is not any port.
            let port = ports.forward_port(id, 0).unwrap();
            let error = ports.request(id).exact_port(port ^ 1).guard().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
            let mut guard = ports.request(id).exact_port(port).guard().unwrap();
            let listener = guard.take_listener().unwrap();
            assert_eq!(listener.local_addr().unwrap(), guard.addr());
            // The store was not needed for it.
            assert!(
                ports
                    .assignments()
                    .unwrap()
                    .iter()
                    .all(|known| known.id() != id || known.holder().is_some())
            );
            (listener, Some(guard))
        }
        "vacated" => {
            let mut guard = PortFor::open(store).unwrap().guard(id).unwrap();
            guard.vacate().unwrap();
            return report("vacated");
        }
        "reserved" => {
            eventually("the parent's word", || given(&store).exists());
            let mut guard = PortFor::open(store).unwrap().guard(id).unwrap();
            let addr = guard.vacate().unwrap();
            // A program that takes any free port does not get this one.
            let accident = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            let refused = accident.bind(&addr.into()).unwrap_err();
            assert_eq!(refused.kind(), std::io::ErrorKind::AddrInUse);
            (TcpListener::bind(addr).unwrap(), Some(guard))
        }
        "forked" => {
            let mut guard = PortFor::open(store).unwrap().guard(id).unwrap();
            guard.vacate().unwrap();
            guard.rearm().unwrap();
            let mut guard = Some(guard);
            in_a_fork(|| drop(guard.take()));
            let mut guard = guard.expect("it is gone in the fork, and not here");
            TcpStream::connect(guard.addr()).unwrap();
            (guard.take_listener().unwrap(), Some(guard))
        }
        "udp" => {
            let ports = PortFor::open(store).unwrap();
            let request = ports.request(id).udp().timeout(Duration::ZERO);
            let error = request.guard().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Occupied, "{error}");
            // Its parent is a guardian, which has no socket.
            let parent = format!("process {}", std::env::var(STARTER).unwrap());
            assert!(error.to_string().contains(&parent), "{error}");
            // The socket is still to be had.
            let mut guard = ports.guard(id).unwrap();
            (guard.take_listener().unwrap(), Some(guard))
        }
        other => unreachable!("{other}"),
    };
    assert!(port_for::inherited(id).is_none(), "it can be had once");
    let flags = rustix::io::fcntl_getfd(listener.as_fd()).unwrap();
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    for stream in listener.incoming() {
        let _ = stream.unwrap().write_all(how.as_bytes());
    }
}

/// Names the process that started this one.
const STARTER: &str = "TEST_STARTER";

/// A file that says that the parent has closed its copy of the socket.
fn given(store: &Path) -> PathBuf {
    store.with_extension("given")
}

#[track_caller]
fn check(id: &str, how: &str) {
    let store = TempStore::new();
    let id = format!("{id} {}", store.api);
    let request = store.request(&id);
    let request = if how == "udp" { request.udp() } else { request };
    let mut guard = request.guard().unwrap();
    let mut child = command(test_name!(program), store.path(), &format!("{id}|{how}"));
    child.env(STARTER, std::process::id().to_string());
    let mut server = guard.spawn_activated(&mut child).unwrap();
    std::fs::write(given(store.path()), "").unwrap();
    server.wait_ready(PATIENCE).unwrap();
    // The socket listens whether the program is well or not; its answer says so. Some close it for a moment.
    server
        .wait_until(PATIENCE, |addr| {
            try_greeting(addr).is_ok_and(|heard| heard == how)
        })
        .unwrap();
}

#[test]
fn an_activated_program_finds_its_socket_by_the_id() {
    check("api", "inherited");
}

#[test]
fn an_id_with_colons_is_found_as_well() {
    check("my_crate::tests::login::port 100%", "inherited");
}

#[test]
fn an_activated_program_adopts_the_socket_as_its_guard() {
    check("api", "guard");
}

#[cfg(target_os = "linux")] // Elsewhere the port is let go.
#[test]
fn a_vacated_socket_that_nobody_else_has_leaves_no_gap() {
    check("api", "reserved");
}

#[test]
fn a_fork_of_an_activated_program_does_it_no_harm() {
    check("api", "forked");
}

#[test]
fn a_udp_port_that_stays_with_the_parent_is_reported_and_costs_no_socket() {
    check("api", "udp");
}

/// As systemd starts [`program`], with a shell for the number 3.
fn socket_activated(store: &TempStore, listener: TcpListener, what: &str) -> Command {
    let inner = command(test_name!(program), store.path(), what);
    let script = r#"LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web exec "$@" 3<&0"#;
    let mut shell = in_shell(script, &inner);
    shell.stdin(std::os::fd::OwnedFd::from(listener));
    shell
}

#[test]
fn sockets_from_elsewhere_are_found_by_their_names() {
    let store = TempStore::new();
    let addr = store.guard(&store.api).unwrap().addr();
    let listener = TcpListener::bind(addr).unwrap();
    let mut child = socket_activated(&store, listener, "web|inherited")
        .spawn()
        .unwrap();
    assert_eq!(greeting(addr), "inherited");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_socket_that_others_have_too_is_theirs_to_stop() {
    let store = TempStore::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let shared = listener.try_clone().unwrap();
    let output = socket_activated(&store, shared, "web|vacated")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("@vacated"));
    TcpStream::connect(addr).unwrap();
    listener.accept().unwrap();
}

/// The harness itself is looked at: nothing is said to it.
#[test]
#[ignore = "a program for another test"]
fn not_concerned() {
    if told().is_some() {
        assert!(port_for::inherited("unknown").is_none());
        assert_eq!(std::env::var("LISTEN_PID").unwrap(), "1");
        assert_eq!(std::env::var("LISTEN_FDS").unwrap(), "1");
    }
}

#[test]
fn what_is_meant_for_another_process_is_left_alone() {
    let store = TempStore::new();
    let mut child = command(test_name!(not_concerned), store.path(), "");
    child.env("LISTEN_PID", "1").env("LISTEN_FDS", "1");
    let output = child.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
