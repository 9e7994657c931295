//! A server that is given its listening socket: it cannot meet a taken port, and clients need not wait for it.
//!
//! `cargo build --examples && cargo run --example socket_activation`; the server is the example `activated`.

use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    let mut guard = port_for::guard("examples/socket_activation")?;

    // Before the server runs, a client is in already.
    let mut early = TcpStream::connect(guard.addr())?;
    early.write_all(b"GET / HTTP/1.0\r\n\r\n")?;

    let program = std::env::current_exe()?.with_file_name("activated");
    let mut server = guard.spawn_activated(&mut Command::new(program))?;

    let mut answer = String::new();
    early.read_to_string(&mut answer)?;
    println!("{}", answer.lines().last().unwrap_or_default());
    assert!(answer.ends_with(&format!("hello from process {}", server.id())));

    // The port accepts in any case: readiness is an answer.
    server.wait_until(Duration::from_secs(10), |addr| {
        TcpStream::connect(addr).is_ok_and(|mut stream| {
            let mut answer = String::new();
            stream.write_all(b"GET / HTTP/1.0\r\n\r\n").is_ok()
                && stream.read_to_string(&mut answer).is_ok()
                && answer.starts_with("HTTP/1.1 200")
        })
    })?;
    server.stop()?;
    Ok(())
}
