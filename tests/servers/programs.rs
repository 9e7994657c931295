//! The servers that tests start beside their own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::PATIENCE;

/// An example of this package that does not have this crate in it.
pub fn example(name: &str) -> PathBuf {
    let built = Command::new(std::env::var_os("CARGO").unwrap())
        .args(["build", "--quiet", "--example", name])
        .status()
        .unwrap();
    assert!(built.success());
    // Beside the folder of this test: target/debug/deps, or wherever it is.
    let this = std::env::current_exe().unwrap();
    let folder = this.parent().and_then(Path::parent).unwrap();
    folder.join("examples").join(name)
}

/// What redis answers to a command.
pub fn redis(addr: SocketAddr, command: &str) -> std::io::Result<String> {
    let mut redis = TcpStream::connect(addr)?;
    redis.set_read_timeout(Some(PATIENCE))?;
    redis.write_all(format!("{command}\r\nQUIT\r\n").as_bytes())?;
    let mut answer = String::new();
    redis.read_to_string(&mut answer)?;
    Ok(answer.strip_suffix("+OK\r\n").unwrap_or(&answer).to_owned())
}

/// redis, with everything in memory.
pub fn redis_command(program: &Path, port: u16) -> Command {
    let mut command = Command::new(program);
    command
        .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .args(["--dir", std::env::temp_dir().to_str().unwrap()])
        .args(["--port", &port.to_string()]);
    command
}
