//! nginx and Python's servers.

use std::fs;
use std::path::Path;
use std::process::Command;

use port_for::Server;

use crate::support::installed::find;
use crate::support::{PATIENCE, TempStore, get, try_get};

/// nginx in the foreground, with all its files in the folder.
fn nginx(program: &Path, folder: &Path, port: u16, answer: &str) -> Command {
    let at = folder.display();
    let config = format!(
        "daemon off;
        pid {at}/nginx.pid;
        error_log stderr;
        worker_processes 2;
        events {{}}
        http {{
            access_log off;
            client_body_temp_path {at}/body;
            proxy_temp_path {at}/proxy;
            fastcgi_temp_path {at}/fastcgi;
            uwsgi_temp_path {at}/uwsgi;
            scgi_temp_path {at}/scgi;
            server {{
                listen 127.0.0.1:{port};
                location / {{ return 200 \"{answer}\"; }}
            }}
        }}"
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, config).unwrap();
    let mut command = Command::new(program);
    command.args(["-e", "stderr", "-c"]).arg(file);
    command
}

#[test]
fn nginx_serves_under_spawn() {
    let Some(program) = find("nginx") else { return };
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let command = &mut nginx(&program, store.folder(), guard.port(), "it is nginx");
    let mut server = guard.spawn(command).unwrap();
    server.wait_ready(PATIENCE).unwrap();
    assert_eq!(get(guard.addr()), "it is nginx");
    assert!(server.stop().unwrap().status().success());
}

#[test]
fn no_worker_of_nginx_is_left_by_a_drop() {
    let Some(program) = find("nginx") else { return };
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let command = &mut nginx(&program, store.folder(), guard.port(), "it is nginx");
    let mut server = guard.spawn(command).unwrap();
    server
        .wait_until(PATIENCE, |addr| try_get(addr).is_some())
        .unwrap();
    drop(server);
    // A worker has the socket as well.
    guard.rearm().unwrap();
}

#[test]
fn nginx_takes_a_socket_by_its_variable() {
    let Some(program) = find("nginx") else { return };
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let mut command = nginx(&program, store.folder(), guard.port(), "inherited");
    let mut server = guard.spawn_activated(command.env("NGINX", "3;")).unwrap();
    server
        .wait_until(PATIENCE, |addr| try_get(addr).is_some())
        .unwrap();
    assert_eq!(get(guard.addr()), "inherited");
}

/// Python's `http.server` over a folder with one page.
fn http_server(folder: &Path, port: u16) -> Option<Command> {
    let program = find("python3")?;
    fs::write(folder.join("index.html"), "it is a page").unwrap();
    let mut command = Command::new(program);
    command
        .args(["-m", "http.server", "--bind", "127.0.0.1", "--directory"])
        .arg(folder)
        .arg(port.to_string());
    Some(command)
}

#[test]
fn http_server_serves_under_spawn() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let Some(mut command) = http_server(store.folder(), guard.port()) else {
        return;
    };
    let mut server = guard.spawn(&mut command).unwrap();
    server.wait_ready(PATIENCE).unwrap();
    assert_eq!(get(guard.addr()), "it is a page");
}

#[test]
fn http_server_serves_again_after_rearm() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let addr = guard.addr();
    let Some(mut command) = http_server(store.folder(), addr.port()) else {
        return;
    };
    for page in ["one", "two", "three"] {
        let mut server: Server = guard.spawn(&mut command).unwrap();
        fs::write(store.folder().join("index.html"), page).unwrap();
        server.wait_ready(PATIENCE).unwrap();
        assert_eq!(get(addr), page);
        server.stop().unwrap();
        guard.rearm().unwrap();
    }
}

const APP: &str = "
async def asgi(scope, receive, send):
    if scope['type'] == 'http':
        await send({'type': 'http.response.start', 'status': 200, 'headers': [(b'content-length', b'7')]})
        await send({'type': 'http.response.body', 'body': b'it is I'})

def wsgi(environ, start_response):
    start_response('200 OK', [('Content-Length', '8')])
    return [b'it is we']
";

#[test]
fn uvicorn_serves_under_spawn_activated() {
    let Some(program) = find("uvicorn") else {
        return;
    };
    let store = TempStore::new();
    fs::write(store.folder().join("app.py"), APP).unwrap();
    let mut guard = store.guard(&store.api).unwrap();
    let mut command = Command::new(program);
    command
        .args(["app:asgi", "--fd", "3", "--lifespan", "off", "--app-dir"])
        .arg(store.folder());
    let mut server = guard.spawn_activated(&mut command).unwrap();
    server
        .wait_until(PATIENCE, |addr| try_get(addr).is_some())
        .unwrap();
    assert_eq!(get(guard.addr()), "it is I");
}

/// It takes the socket only if `LISTEN_PID` is its own process id.
#[test]
fn gunicorn_serves_under_spawn_activated() {
    let Some(program) = find("gunicorn") else {
        return;
    };
    let store = TempStore::new();
    fs::write(store.folder().join("app.py"), APP).unwrap();
    let mut guard = store.guard(&store.api).unwrap();
    let mut command = Command::new(program);
    command.args(["app:wsgi", "--chdir"]).arg(store.folder());
    let mut server = guard.spawn_activated(&mut command).unwrap();
    server
        .wait_until(PATIENCE, |addr| try_get(addr).is_some())
        .unwrap();
    assert_eq!(get(guard.addr()), "it is we");
    server.stop().unwrap();
}
