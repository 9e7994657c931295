//! Real servers behind the command. Where one is not installed, its test says so and does nothing; on CI, where all
//! are to be there, it fails.
#![cfg(unix)]

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::installed::find;
use crate::support::{PATIENCE, eventually};
use crate::{Running, Store};

/// What the server answers, once it does.
#[track_caller]
fn ask(port: u16, request: &str, running: &mut Running) -> String {
    let mut answered = None;
    eventually("an answer", || {
        assert_eq!(running.0.try_wait().unwrap(), None, "the server has ended");
        let answer = TcpStream::connect(("127.0.0.1", port)).and_then(|mut stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(request.as_bytes())?;
            let mut answer = vec![0; 4096];
            let len = stream.read(&mut answer)?;
            Ok(String::from_utf8_lossy(&answer[..len]).into_owned())
        });
        match answer {
            // Before the command holds the port, a stranger can listen there for a moment.
            Ok(answer) if answer.is_empty() => {}
            Ok(answer) => answered = Some(answer),
            // It is not up yet; or a process that another test had started has ended.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::ConnectionRefused
                        | ErrorKind::ConnectionReset
                        | ErrorKind::BrokenPipe
                        | ErrorKind::Interrupted
                ) => {}
            Err(error) => panic!("{error}"),
        }
        answered.is_some()
    });
    answered.expect("it was seen")
}

#[test]
fn redis_binds_the_port_and_serves() {
    let Some(redis) = find("redis-server") else {
        return;
    };
    let store = Store::new();
    let port = store.port(&["redis"]);
    let folder = store.folder().to_str().unwrap();
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
    let Some(uvicorn) = find("uvicorn") else {
        return;
    };
    let store = Store::new();
    fs::write(store.folder().join("app.py"), APP).unwrap();
    let port = store.port(&["web"]);
    let folder = store.folder().to_str().unwrap();
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
