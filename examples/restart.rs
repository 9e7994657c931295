//! A server that is restarted on its port, while nobody else can take it: Python's `http.server`, three times.
//!
//! `cargo run --example restart`; needs `python3`.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    let mut guard = port_for::guard("examples/restart")?;
    let port = guard.port().to_string();
    let mut command = Command::new("python3");
    command.args(["-m", "http.server", "--bind", "127.0.0.1", &port]);

    for round in 1..=3 {
        let mut server = guard.spawn(&mut command)?;
        server.wait_ready(Duration::from_secs(30))?;
        let status = get(guard.addr())?;
        println!(
            "round {round}, process {}, port {port}: {status}",
            server.id()
        );
        assert!(status.ends_with("200 OK"));
        server.stop()?;

        // The port is ours again. A client that comes now waits for the next server instead of being refused; without
        // this line, `spawn` has the port all the same.
        guard.rearm()?;
    }
    Ok(())
}

/// The first line of the answer.
fn get(addr: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(addr)?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}
