//! The servers that tests start, and what to do where they are not installed.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Plenty for a server to start, on a machine that does other things too.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The program, if it is installed. If not, the calling test is to return: it is skipped, which is said on stderr with
/// its name. On CI that is a failure.
#[track_caller]
pub fn find(program: &str) -> Option<PathBuf> {
    let installed = std::env::split_paths(&std::env::var_os("PATH").unwrap())
        // Where Debian keeps nginx, and where `.ci/run` puts Python's servers.
        .chain(["/usr/sbin".into(), python_env().join("bin")])
        .map(|folder| folder.join(program))
        .find(|path| path.is_file());
    if installed.is_none() {
        let test = std::thread::current();
        let test = test.name().unwrap_or_default();
        assert!(
            std::env::var_os("CI").is_none(),
            "{test} needs `{program}`, which is to be installed on CI"
        );
        // Not `eprintln!`, which the harness keeps back.
        let mut stderr = std::io::stderr().lock();
        writeln!(stderr, "skipped: {test}: `{program}` is not installed").unwrap();
    }
    installed
}

/// A Python environment with uvicorn and gunicorn in it.
fn python_env() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv")
}

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

/// The body of `GET /` there, if there is an answer with status 200.
pub fn try_get(addr: SocketAddr) -> Option<String> {
    let response = minreq::get(format!("http://{addr}/"))
        .with_timeout(10)
        .send()
        .ok()?;
    (response.status_code == 200).then(|| response.as_str().unwrap().to_owned())
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
