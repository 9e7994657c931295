//! What has a port: errors, `--list` and `--who` say the same.

#![cfg(target_os = "linux")]

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::process;
use std::time::Duration;

use port_for::{ErrorKind, PortFor};
use serde_json::Value;
use socket2::{Domain, Socket, Type};

use crate::{Store, has, stdout};

/// What keeps the port until it is dropped.
type Occupant = Box<dyn std::any::Any>;

struct Kind {
    name: &'static str,
    occupy: fn(u16) -> Occupant,
    /// What is said of it; `{port}` and `{pid}` stand for numbers.
    said: &'static str,
    /// Whether a guard at 127.0.0.1 cannot have the port meanwhile.
    is_in_the_way: bool,
}

fn listener(ip: impl Into<std::net::IpAddr>, port: u16) -> Occupant {
    Box::new(TcpListener::bind((ip.into(), port)).unwrap())
}

fn bound(port: u16) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    socket.bind(&addr.into()).unwrap();
    socket
}

/// A connection from the port, and its other end.
fn connection(port: u16) -> (TcpStream, TcpStream) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = bound(port);
    let addr = server.local_addr().unwrap();
    socket.connect(&addr.into()).unwrap();
    (socket.into(), server.accept().unwrap().0)
}

/// The end that closes first keeps its port: from those that do not set `SO_REUSEADDR`, or from all if it did not.
fn lingering(port: u16, reuse: bool) -> Occupant {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_address(reuse).unwrap();
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    socket.bind(&addr.into()).unwrap();
    socket
        .connect(&server.local_addr().unwrap().into())
        .unwrap();
    let mut ours: TcpStream = socket.into();
    let theirs = server.accept().unwrap().0;
    ours.shutdown(std::net::Shutdown::Write).unwrap();
    drop(theirs);
    std::io::copy(&mut ours, &mut std::io::sink()).unwrap();
    drop(ours);
    Box::new(())
}

fn vacated(port: u16) -> Occupant {
    let other = Store::new();
    let mut guard = other.library().port(port).guard().unwrap();
    guard.vacate().unwrap();
    // In this order they are dropped.
    Box::new((guard, other))
}

const KINDS: [Kind; 8] = [
    Kind {
        name: "listening",
        occupy: |port| listener(Ipv4Addr::LOCALHOST, port),
        said: "process {pid} (`",
        is_in_the_way: true,
    },
    Kind {
        name: "at another loopback address",
        occupy: |port| listener([127, 0, 0, 53], port),
        said: "listens on 127.0.0.53:{port}",
        is_in_the_way: false,
    },
    Kind {
        name: "of the other family",
        occupy: |port| listener(Ipv6Addr::LOCALHOST, port),
        said: "listens on [::1]:{port}",
        is_in_the_way: false,
    },
    Kind {
        name: "a connection",
        occupy: |port| Box::new(connection(port)),
        said: "has a connection from 127.0.0.1:{port} to 127.0.0.1:",
        is_in_the_way: true,
    },
    Kind {
        name: "closing",
        occupy: |port| lingering(port, true),
        said: "a closed connection from 127.0.0.1:{port} to 127.0.0.1:",
        is_in_the_way: false,
    },
    Kind {
        name: "closing, of a client that bound it",
        occupy: |port| lingering(port, false),
        said: "a closed connection from 127.0.0.1:{port} to 127.0.0.1:",
        is_in_the_way: true,
    },
    Kind {
        name: "bound",
        occupy: |port| Box::new(bound(port)),
        said: "does not listen",
        is_in_the_way: true,
    },
    Kind {
        name: "vacated by another store's guard",
        occupy: vacated,
        said: "a guard has vacated it for its server: process {pid} (`",
        is_in_the_way: true,
    },
];

fn json(store: &Store, args: &[&str]) -> Value {
    serde_json::from_str(&stdout(&store.run(args).success())).unwrap()
}

fn uses(object: &Value) -> Vec<String> {
    let uses = object["uses"].as_array().unwrap().iter();
    uses.map(|said| said.as_str().unwrap().to_owned()).collect()
}

fn refusal(ports: &PortFor, id: &str) -> String {
    let error = ports
        .request(id)
        .timeout(Duration::from_millis(10))
        .guard()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Occupied, "{error}");
    error.to_string()
}

#[test]
fn errors_the_list_and_who_say_the_same_of_every_kind_of_occupant() {
    let has_ipv6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    for kind in &KINDS {
        if !has_ipv6 && kind.said.contains("::1") {
            continue;
        }
        let store = Store::new();
        let name = kind.name;
        let port = store.library().forward_port(&store.api, 0).unwrap();
        let _occupant = (kind.occupy)(port);
        let said = (kind.said)
            .replace("{port}", &port.to_string())
            .replace("{pid}", &process::id().to_string());

        let listed = uses(&json(&store, &["--list", "--json"])[0]);
        let who = uses(&json(&store, &["--who", &port.to_string(), "--json"]));
        assert!(
            listed.iter().any(|line| line.contains(&said)),
            "{name}: {listed:?}"
        );
        assert_eq!(listed, who, "{name}");
        let told = stdout(&store.run(&["--who", &port.to_string()]).success());
        has(&told, &[&said]);
        let state = json(&store, &["--list", "--json"])[0]["state"].clone();
        assert_eq!(state, "occupied", "{name}");
        if kind.is_in_the_way {
            has(&refusal(&store.library(), &store.api), &[&listed[0]]);
        } else {
            drop(store.library().guard(&store.api).unwrap());
        }
    }
}

#[test]
fn of_another_users_process_at_least_the_user_is_said() {
    // Root alone may become another user.
    if !crate::support::privileges::is_root() {
        return;
    }
    let store = Store::new();
    let port = store.library().forward_port(&store.api, 0).unwrap();
    let _listener = listener(Ipv4Addr::LOCALHOST, port);
    let mut looks = process::Command::new("setpriv");
    looks.args(["--reuid=65534", "--clear-groups", "--inh-caps=-all", "--"]);
    looks.arg(env!("CARGO_BIN_EXE_port-for"));
    looks.args(["--who", &port.to_string()]);
    looks.env("PORT_FOR_STORE", "/nonexistent/ports.json");
    let told = looks.output().unwrap();
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    has(
        &told,
        &[&format!("a process of user 0 listens on 127.0.0.1:{port}")],
    );
}

/// Whatever is in the id, the store's path and the environment.
#[cfg(unix)]
#[test]
fn the_command_in_an_error_works_when_it_is_pasted() {
    for (namespace, id) in [(None, "api"), (Some("it's #1"), "a 'b' $c `d`")] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("it's a store.json");
        let run = |args: &[&str]| {
            let mut command = process::Command::new(env!("CARGO_BIN_EXE_port-for"));
            command.args(args).env("PORT_FOR_STORE", &path);
            command.env("PORT_FOR_NAMESPACE", namespace.unwrap_or_default());
            command.env("PORT_FOR_TIMEOUT", "0.01");
            command.output().unwrap()
        };
        let port = String::from_utf8(run(&[id]).stdout).unwrap();
        let _occupant = listener(Ipv4Addr::LOCALHOST, port.trim().parse().unwrap());
        let refused = String::from_utf8(run(&[id, "--", "true"]).stderr).unwrap();
        let (_, command) = refused.rsplit_once(" after `").unwrap();
        let (command, _) = command.rsplit_once('`').unwrap();
        let program = env!("CARGO_BIN_EXE_port-for");
        let pasted = process::Command::new("sh")
            .args([
                "-c",
                &command.replacen("port-for ", &format!("{program} "), 1),
            ])
            .env("PORT_FOR_NAMESPACE", namespace.unwrap_or_default())
            .output()
            .unwrap();
        assert!(pasted.status.success(), "{command}: {pasted:?}");
        let left = PortFor::open(&path).unwrap().assignments().unwrap();
        assert!(left.is_empty(), "{command}");
    }
}

/// The holder of the port is waiting for a stranger itself; its waiter reports both.
#[test]
fn who_waits_behind_a_holder_that_waits_is_told_for_what() {
    let store = Store::new();
    let ports = store.library();
    let port = ports.forward_port(&store.api, 0).unwrap();
    let occupant = listener(Ipv4Addr::LOCALHOST, port);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| store.library().guard(&store.api).map(drop));
        // It says so after a second, on record too.
        let mut error = String::new();
        let told = crate::support::wait::within(Duration::from_secs(30), || {
            let second = ports.request(&store.api);
            let refused = second.timeout(Duration::from_millis(10)).guard();
            error = refused.map_or_else(|error| error.to_string(), |_| String::new());
            error.contains("is waiting itself")
        });
        assert!(told, "{error}");
        has(&error, &[&format!("listens on 127.0.0.1:{port}")]);
        drop(occupant);
        first.join().unwrap().unwrap();
        // And takes it back.
        let listed = ports.assignments().unwrap();
        assert!(listed[0].holder().is_none());
    });
}
