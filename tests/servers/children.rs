//! This program, run again as a server of one kind or another. Each is an ignored test, for a parent to start.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use port_for::{PortFor, PortGuard, Server};
use socket2::{Domain, Socket, Type};

use crate::support::child::test_name;
use crate::support::{TempStore, command, told, wait_for_parent};

/// What [`hello`] says to each client.
pub fn greeting(addr: SocketAddr) -> String {
    try_greeting(addr).unwrap()
}

/// As [`greeting`], of a server that may not be there yet.
pub fn try_greeting(addr: SocketAddr) -> std::io::Result<String> {
    let mut heard = String::new();
    let mut stream = TcpStream::connect(addr)?;
    std::io::Read::read_to_string(&mut stream, &mut heard)?;
    Ok(heard)
}

/// The command that runs this program as the server `name`, at an address.
pub fn server(store: &TempStore, name: &str, addr: SocketAddr) -> Command {
    server_of(store.path(), name, addr)
}

/// As [`server`], with a store that is another process's.
pub fn server_of(store: &Path, name: &str, addr: SocketAddr) -> Command {
    command(&format!("children::{name}"), store, &addr.to_string())
}

/// Ids that no other test has, and so ports that hardly any other is given.
pub fn ids<const N: usize>(store: &PortFor, names: [&str; N]) -> [String; N] {
    names.map(|name| format!("{name} {}", store.path().display()))
}

/// Ends this process as it is told, once its parent says so. What an `exit` or a `return` leaves behind was never dropped.
pub fn end_as_told(end: &str, servers: [(PortGuard, Server); 2]) {
    static KEPT: OnceLock<[(PortGuard, Server); 2]> = OnceLock::new();
    if end == "exit" || end == "return" {
        KEPT.set(servers).unwrap();
        wait_for_parent();
        if end == "exit" {
            std::process::exit(0);
        }
        return;
    }
    wait_for_parent();
    match end {
        "panic" => panic!("as asked for"),
        "abort" => std::process::abort(),
        other => unreachable!("{other}: the parent kills this process instead of talking to it"),
    }
}

fn addr() -> Option<SocketAddr> {
    Some(told()?.1.parse().unwrap())
}

fn greet(listener: &TcpListener) {
    for stream in listener.incoming() {
        // A client that only looked whether we are here has gone by now.
        let _ = stream.unwrap().write_all(b"hello");
    }
}

#[test]
#[ignore = "a server for other tests"]
fn hello() {
    if let Some(addr) = addr() {
        greet(&TcpListener::bind(addr).unwrap());
    }
}

#[test]
#[ignore = "a server for other tests"]
fn hello_without_reuse() {
    let Some(addr) = addr() else { return };
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None).unwrap();
    if let Err(error) = socket.bind(&addr.into()) {
        eprintln!("stubborn: cannot have {addr}: {error}");
        std::process::exit(98);
    }
    socket.listen(1).unwrap();
    greet(&socket.into());
}

/// Knows better which port to take.
#[test]
#[ignore = "a server for other tests"]
fn hello_elsewhere() {
    if addr().is_some() {
        greet(&TcpListener::bind("127.0.0.1:0").unwrap());
    }
}

/// Lets a child of its own do the work.
#[test]
#[ignore = "a server for other tests"]
fn hello_by_a_child() {
    let Some((store, addr)) = told() else { return };
    let status = command(test_name!(hello), &store, &addr).status();
    panic!("the child ended: {status:?}");
}

/// A server that does not listen, and does not mind being asked to end.
pub fn deaf() -> Command {
    script(
        "trap '' TERM; echo deaf; while :; do sleep 1000; done",
        // It reads what never comes: a pipe of its own.
        "echo deaf& ping -n 1000 127.0.0.1 >nul",
    )
}

/// A shell with a script, as Unix has shells and as Windows has.
pub fn script(unix: &str, windows: &str) -> Command {
    let (shell, option, script) = if cfg!(windows) {
        ("cmd", "/c", windows)
    } else {
        ("/bin/sh", "-c", unix)
    };
    let mut shell = Command::new(shell);
    shell.args([option, script]);
    shell
}

/// How a shell has ended with that status, as it is told.
pub fn exit_status(status: i32) -> String {
    let word = if cfg!(windows) { "code" } else { "status" };
    format!("exit {word}: {status}")
}

pub const LISTENS: &str = test_name!(listen_until_told);

/// Waits, with the address listening, until the parent closes its stdin.
#[test]
#[ignore = "a server for other tests"]
fn listen_until_told() {
    if let Some(addr) = addr() {
        let _listener = TcpListener::bind(addr).unwrap();
        crate::support::report("listening");
        wait_for_parent();
    }
}
