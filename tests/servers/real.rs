//! Real servers by recipe, each with the readiness that its users would choose: real requests, a kill, a restart.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use port_for::{Ready, Server, ServerCommand, Signal};

use crate::programs::redis as ask_redis;
use crate::support::child::test_name;
use crate::support::installed::find;
use crate::support::{TempStore, get, told};

/// Starts it, asks it, kills it, starts it again, asks it again, and stops it.
fn check(command: &ServerCommand, ask: impl Fn(&Server)) {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let mut server = guard.start(command).unwrap();
    ask(&server);
    server.kill().unwrap();
    assert!(!server.is_running());
    server.restart().unwrap();
    ask(&server);
    let stopped = server.stop().unwrap();
    assert!(
        !stopped.was_killed(),
        "{stopped:?}: {}",
        server.output().unwrap()
    );
}

#[test]
fn redis() {
    let Some(program) = find("redis-server") else {
        return;
    };
    let command = ServerCommand::new(program)
        .args(["--port", "{port}", "--save", "", "--dir", "{dir}"])
        .ready(Ready::line("Ready to accept connections").and(Ready::listening()));
    check(&command, |server| {
        assert_eq!(ask_redis(server.addr(), "PING").unwrap(), "+PONG\r\n");
    });
}

#[test]
fn postgres() {
    let [Some(postgres), Some(initdb), Some(is_ready)] =
        ["postgres", "initdb", "pg_isready"].map(find)
    else {
        return;
    };
    let mut command = ServerCommand::new(postgres)
        .args([
            "-D",
            "{dir}/data",
            "-p",
            "{port}",
            "-k",
            "{dir}",
            "-c",
            "fsync=off",
        ])
        .current_dir("{dir}")
        .setup(
            initdb,
            [
                "--auth=trust",
                "--username=test",
                "--no-sync",
                "-D",
                "{dir}/data",
            ],
        )
        .ready(
            Ready::command(&is_ready, ["-h", "127.0.0.1", "-p", "{port}", "-q"])
                .and(Ready::unix_socket("{dir}/.s.PGSQL.{port}")),
        )
        .stop_signal(Signal::Int);
    if rustix::process::geteuid().is_root() {
        command = command.user("nobody");
    }
    check(&command, |server| {
        let asked = std::process::Command::new(&is_ready)
            .args(["-h", "127.0.0.1", "-p", &server.port().to_string()])
            .output()
            .unwrap();
        assert!(asked.status.success(), "{asked:?}");
    });
}

#[test]
fn nginx() {
    let Some(program) = find("nginx") else { return };
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().display();
    fs::write(folder.path().join("index.html"), "from nginx").unwrap();
    let main = format!("daemon off; pid {here}/pid; worker_processes 2; error_log stderr;");
    let temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {here}/{kind};"));
    let config = |port: &str| {
        format!(
            "{main} events {{}} http {{ access_log off; {} server {{ listen 127.0.0.1:{port}; root {here}; }} }}",
            temp.join(" ")
        )
    };
    // The configuration has braces of its own: a shell puts the port where it belongs.
    fs::write(folder.path().join("template"), config("PORT")).unwrap();
    let script = format!(
        "sed s/PORT/$0/ {here}/template > {here}/conf && exec \"$1\" -p {here} -c {here}/conf"
    );
    let command = ServerCommand::new("/bin/sh")
        .arg("-c")
        .literal_arg(script)
        .args(["{port}"])
        .arg(program)
        .ready(Ready::http("/"))
        .stop_signal(Signal::Quit);
    // Its workers are another user's, and may not enter a folder of root's.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    check(&command, |server| {
        assert_eq!(get(server.addr()), "from nginx");
    });
}

#[test]
fn http_server_of_python() {
    let Some(program) = find("python3") else {
        return;
    };
    let command = ServerCommand::new(program)
        .args(["-m", "http.server", "--bind", "127.0.0.1", "{port}"])
        .current_dir("{dir}")
        .ready(Ready::http("/"));
    check(&command, |server| {
        assert!(get(server.addr()).contains("Directory listing"));
    });
}

#[test]
fn node() {
    let Some(program) = find("node") else { return };
    let script = "require('http').createServer((q, r) => r.end('from node')).listen(process.argv[1], '127.0.0.1')";
    let command = ServerCommand::new(program)
        .arg("-e")
        .literal_arg(script)
        .arg("{port}")
        .ready(Ready::http("/").status(200..=200));
    check(&command, |server| {
        assert_eq!(get(server.addr()), "from node");
    });
}

const APP: &str = "\
async def app(scope, receive, send):
    if scope['type'] != 'http':
        return
    await send({'type': 'http.response.start', 'status': 200, 'headers': [(b'content-length', b'12')]})
    await send({'type': 'http.response.body', 'body': b'from uvicorn'})

def wsgi(environ, start_response):
    start_response('200 OK', [('Content-Length', '13')])
    return [b'from gunicorn']
";

#[test]
fn uvicorn_and_gunicorn() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("app.py"), APP).unwrap();
    if let Some(program) = find("uvicorn") {
        let bound = ServerCommand::new(&program)
            .args(["app:app", "--port", "{port}"])
            .current_dir(folder.path())
            .ready(Ready::line("Uvicorn running"));
        check(&bound, |server| {
            assert_eq!(get(server.addr()), "from uvicorn");
        });
        let given = ServerCommand::new(program)
            .args(["app:app", "--fd", "3"])
            .current_dir(folder.path())
            .activated()
            .ready(Ready::http("/"));
        check(&given, |server| {
            assert_eq!(get(server.addr()), "from uvicorn");
        });
    }
    if let Some(program) = find("gunicorn") {
        let command = ServerCommand::new(program)
            .args(["app:wsgi", "--bind", "{addr}"])
            .current_dir(folder.path())
            .ready(Ready::http("/"));
        check(&command, |server| {
            assert_eq!(get(server.addr()), "from gunicorn");
        });
    }
}

/// A Rust program with axum: this one, run again.
#[test]
fn axum() {
    let command = ServerCommand::new(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            test_name!(axum_server),
            "--nocapture",
        ])
        .env("TEST_STORE", "-")
        .env("TEST_VALUE", "{addr}")
        .ready(Ready::http("/health"));
    check(&command, |server| {
        assert_eq!(get(server.addr()), "from axum");
    });
}

#[tokio::test]
#[ignore = "a server for another test"]
async fn axum_server() {
    let Some((_, addr)) = told() else { return };
    let answer = axum::routing::get(async || "from axum");
    let app = axum::Router::new()
        .route("/", answer.clone())
        .route("/health", answer);
    let listener = tokio::net::TcpListener::bind(addr).await.unwrap();
    axum::serve(listener, app).await.unwrap();
}
