//! A server that insists on `--port N`: redis, on a port that nobody else gets meanwhile.
//!
//! `cargo run --example redis`; needs `redis-server`.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    let mut guard = port_for::guard("examples/redis")?;
    let mut command = Command::new("redis-server");
    command.args(["--save", "", "--appendonly", "no"]).args([
        "--bind",
        "127.0.0.1",
        "--port",
        &guard.port().to_string(),
    ]);

    // From here on the port refuses connections, but only redis can have it.
    let mut redis = guard.spawn(&mut command)?;
    // Not only does somebody listen: it is this redis.
    redis.wait_until(Duration::from_secs(10), |addr| {
        ask(addr, "PING").is_ok_and(|answer| answer.starts_with("+PONG"))
    })?;

    ask(guard.addr(), "SET greeting hello")?;
    let answer = ask(guard.addr(), "GET greeting")?;
    println!("redis on {} says {answer:?}", guard.addr());
    assert!(answer.contains("hello"));

    println!("redis has ended: {}", redis.stop()?.status());
    Ok(())
}

fn ask(addr: SocketAddr, command: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(addr)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "{command}\r\nQUIT\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
