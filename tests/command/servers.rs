//! Real servers behind the command. Where one is not installed, its test says so and does nothing; on CI, where all
//! are to be there, it fails.
#![cfg(unix)]

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Running, Store};

/// Where the program is; none, and said, when it is not installed.
fn find(program: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is about the machine, not about our configuration"
    )]
    let (path, ci) = (std::env::var_os("PATH"), std::env::var_os("CI"));
    let path: Vec<_> = std::env::split_paths(&path.unwrap_or_default()).collect();
    let found = folders
        .iter()
        .chain(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file());
    if found.is_none() {
        let missing = format!("{program} is not installed");
        assert!(ci.is_none_or(|ci| ci != "true"), "{missing}");
        let test = thread::current().name().unwrap_or_default().to_owned();
        // `eprintln!` would be captured, and a skipped test is to be seen.
        let mut stderr = io::stderr();
        writeln!(stderr, "skipped: {test}: {missing}").unwrap();
    }
    found
}

/// What the server answers, once it does.
#[track_caller]
fn ask(port: u16, request: &str, running: &mut Running) -> String {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        assert_eq!(running.0.try_wait().unwrap(), None, "the server has ended");
        let answer = TcpStream::connect(("127.0.0.1", port)).and_then(|mut stream| {
            stream.set_read_timeout(Some(Duration::from_secs(20)))?;
            stream.write_all(request.as_bytes())?;
            let mut answer = vec![0; 4096];
            let len = stream.read(&mut answer)?;
            Ok(String::from_utf8_lossy(&answer[..len]).into_owned())
        });
        match answer {
            Ok(answer) => return answer,
            // It is not up yet; or a process that another test had started has ended.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::ConnectionRefused | ErrorKind::Interrupted
                ) => {}
            Err(error) => panic!("{error}"),
        }
        assert!(Instant::now() < deadline, "nobody listens");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn redis_binds_the_port_and_serves() {
    let Some(redis) = find("redis-server", &[]) else {
        return;
    };
    let store = Store::new();
    let port = store.port(&["redis"]);
    let folder = store.folder.path().to_str().unwrap();
    let mut running = store.start(&[
        "redis",
        "--",
        redis.to_str().unwrap(),
        "--port",
        "{port}",
        "--save",
        "",
        "--dir",
        folder,
    ]);
    assert_eq!(ask(port, "PING\r\n", &mut running), "+PONG\r\n");
    let held = store.library().assignments().unwrap();
    assert_eq!(held[0].holder().unwrap().pid(), Some(running.0.id()));

    kill_process(Pid::from_child(&running.0), Signal::TERM).unwrap();
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
    store.library().guard("redis").unwrap().close().unwrap();
}

const APP: &str = r#"
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})
"#;

#[test]
fn uvicorn_inherits_the_socket_and_serves() {
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .with_file_name("venv")
        .join("bin");
    let Some(uvicorn) = find("uvicorn", &[venv]) else {
        return;
    };
    let store = Store::new();
    fs::write(store.folder.path().join("app.py"), APP).unwrap();
    let port = store.port(&["web"]);
    let folder = store.folder.path().to_str().unwrap();
    let mut running = store.start(&[
        "web",
        "--inherit",
        "--",
        uvicorn.to_str().unwrap(),
        "--fd",
        "3",
        "--lifespan",
        "off",
        "--log-level",
        "warning",
        "--app-dir",
        folder,
        "app:app",
    ]);
    // The first connection is there before the server is: it waits.
    let answer = ask(port, "GET / HTTP/1.0\r\n\r\n", &mut running);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");

    kill_process(Pid::from_child(&running.0), Signal::TERM).unwrap();
    running.0.wait().unwrap();
    store.library().guard("web").unwrap().close().unwrap();
}
