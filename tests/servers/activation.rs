//! Children that are given the listening socket.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use crate::children::deaf;
use crate::programs::example;
use crate::support::{PATIENCE, TempStore, get, try_get};

#[test]
fn a_listenfd_child_serves_under_spawn_activated() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let mut server = guard
        .spawn_activated(&mut Command::new(example("activated")))
        .unwrap();
    server
        .wait_until(PATIENCE, |addr| try_get(addr).is_some())
        .unwrap();
    assert!(get(guard.addr()).starts_with("hello from process "));
    drop(server);
    // No process has the socket any more.
    TcpStream::connect(guard.addr()).unwrap_err();
    guard.rearm().unwrap();
}

#[test]
fn who_connects_before_the_child_runs_is_served() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let mut early = TcpStream::connect(guard.addr()).unwrap();
    early.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let _server = guard
        .spawn_activated(&mut Command::new(example("activated")))
        .unwrap();
    let mut answer = String::new();
    early.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("hello from process "), "{answer}");
}

/// Runs a shell as an activated child, and returns what it prints.
fn shell(command: &mut Command, script: &str) -> (u32, String) {
    let store = TempStore::new();
    let id = format!("{}: 100%", store.api);
    let mut guard = store.guard(&id).unwrap();
    let file = store.folder().join("output");
    command
        .args(["-c", script])
        .stdout(std::fs::File::create(&file).unwrap());
    let mut server = guard.spawn_activated(command).unwrap();
    let pid = server.id();
    // It ends by itself.
    server.wait_until(PATIENCE, |_| false).unwrap_err();
    let status = server.stop().unwrap().status();
    assert!(status.success(), "{status}");
    (pid, std::fs::read_to_string(file).unwrap())
}

#[test]
fn the_child_is_told_number_name_and_its_own_process_id() {
    let script = "echo $LISTEN_FDS $LISTEN_PID $$ $LISTEN_FDNAMES";
    let (pid, told) = shell(&mut Command::new("/bin/sh"), script);
    assert!(told.starts_with(&format!("1 {pid} {pid} api ")), "{told}");
    assert!(told.trim_end().ends_with("%3A 100%25"), "{told}");
}

#[test]
fn the_childs_environment_is_what_its_command_says() {
    let script = "echo ${HOME-none} ${ADDED-none} ${LISTEN_FDS-none}";
    let mut command = Command::new("/bin/sh");
    command.env("ADDED", "added");
    let home = std::env::var("HOME").unwrap_or("none".to_owned());
    assert_eq!(shell(&mut command, script).1, format!("{home} added 1\n"));

    let mut cleared = Command::new("/bin/sh");
    cleared.env_clear().env("ADDED", "added");
    assert_eq!(shell(&mut cleared, script).1, "none added 1\n");

    let mut removed = Command::new("sh");
    removed.env_remove("HOME");
    assert_eq!(shell(&mut removed, script).1, "none none 1\n");
}

#[test]
fn the_childs_folder_and_streams_are_what_its_command_says() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().canonicalize().unwrap();
    let mut command = Command::new("sh");
    command.current_dir(&folder).stdin(Stdio::null());
    assert_eq!(
        shell(&mut command, "pwd").1,
        format!("{}\n", folder.display())
    );
}

#[test]
fn a_dead_childs_port_refuses_at_once() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let mut server = guard.spawn_activated(&mut deaf()).unwrap();
    server.wait_ready(PATIENCE).unwrap();
    drop(TcpStream::connect(guard.addr()).unwrap());
    drop(server);
    TcpStream::connect(guard.addr()).unwrap_err();
}

#[test]
fn an_activated_child_that_cannot_be_started_leaves_the_port_held() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    for program in ["no-such-program", "/no/such/program", "/etc/hostname"] {
        let error = guard
            .spawn_activated(&mut Command::new(program))
            .unwrap_err();
        assert_eq!(error.kind(), port_for::ErrorKind::NotStarted);
        assert!(error.to_string().contains(program), "{error}");
        TcpStream::connect(guard.addr()).unwrap();
    }
    guard.take_listener().unwrap();
}
