//! A server that insists on `--port N`: redis, on a port that nobody else gets meanwhile.
//!
//! `cargo run --example redis`; needs `redis-server`.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use port_for::{PortFor, Ready, ServerCommand};

fn redis() -> ServerCommand {
    ServerCommand::new("redis-server")
        .args(["--save", "", "--bind", "127.0.0.1", "--port", "{port}"])
        .ready(Ready::listening().and(Ready::line("Ready to accept connections")))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut server = PortFor::shared()?
        .request("examples/redis")
        .start(&redis())?;
    ask(server.addr(), "SET greeting hello")?;
    let answer = ask(server.addr(), "GET greeting")?;
    println!("redis on {} says {answer:?}", server.addr());
    assert!(answer.contains("hello"));
    println!("redis has ended: {}", server.stop()?.status());
    Ok(())
}

fn ask(addr: SocketAddr, command: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(addr)?;
    write!(stream, "{command}\r\nQUIT\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
