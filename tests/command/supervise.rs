//! `port-for NAME --ready KIND -- CMD`: the command stays as the parent of CMD.
#![cfg(unix)]

use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use rstest::rstest;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::installed::find;
use crate::support::wait::eventually;
use crate::{Store, has, stderr, stdout};

fn supervised(store: &Store, args: &[&str]) -> Command {
    let mut command = store.command();
    command.args(args).stderr(Stdio::piped());
    command
}

#[test]
fn a_server_is_ready_waited_for_and_ended_with_the_command() {
    let Some(python) = find("python3") else {
        return;
    };
    let store = Store::new();
    let folder = store.folder().to_str().unwrap();
    let mut running = supervised(&store, &["web", "--ready", "http:/", "--"])
        .arg(python)
        .args(["-m", "http.server", "--bind", "127.0.0.1"])
        .args(["--directory", folder, "{port}"])
        .spawn()
        .unwrap();
    store.run(&["--wait", "web", "--timeout", "60s"]).success();
    let port = store.port(&["web"]);
    TcpStream::connect(("127.0.0.1", port)).unwrap();
    let pid = Pid::from_raw(running.id().cast_signed()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    let status = running.wait().unwrap();
    assert_eq!(status.code(), Some(128 + 15), "{status}");
    let mut said = String::new();
    running.stderr.unwrap().read_to_string(&mut said).unwrap();
    has(&said, &[&format!("ready on 127.0.0.1:{port}")]);
    store.run(&["--gone", "web"]).success();
}

#[rstest]
#[case::its_own("exit 7", 7)]
#[case::a_signal("kill -9 $$", 128 + 9)]
#[case::done("exit 0", 0)]
fn the_status_is_that_of_the_program(#[case] script: &str, #[case] status: i32) {
    let store = Store::new();
    let args = ["api", "--supervise", "--", "sh", "-c", script];
    store.run(&args).code(status);
}

#[rstest]
#[case::supervised(&["--supervise"])]
#[case::in_its_place(&[])]
fn a_program_that_is_missing_or_cannot_run_is_told_as_by_a_shell(#[case] flags: &[&str]) {
    let store = Store::new();
    let file = store.folder().join("no program");
    fs::write(&file, "text").unwrap();
    for (program, status) in [("/nonexistent/program", 127), (file.to_str().unwrap(), 126)] {
        let args = [&["api"], flags, &["--", program]].concat();
        let done = store.run(&args).code(status);
        has(&stderr(&done), &[program]);
    }
}

#[test]
fn what_is_left_behind_ends_with_the_command() {
    let store = Store::new();
    let file = store.folder().join("pid");
    let script = format!("setsid sleep 1000 & echo $! > '{}'; wait", file.display());
    let args = ["api", "--supervise", "--", "sh", "-c", &script];
    let mut running = supervised(&store, &args).spawn().unwrap();
    let mut left = None;
    eventually("its descendant", || {
        let text = fs::read_to_string(&file).unwrap_or_default();
        left = text.trim().parse().ok().and_then(Pid::from_raw);
        left.is_some()
    });
    running.kill().unwrap();
    assert_eq!(running.wait().unwrap().signal(), Some(9));
    let left = left.unwrap();
    eventually("the end of what it left", || {
        rustix::process::test_kill_process(left).is_err()
    });
}

#[test]
fn a_line_is_looked_for_in_the_log() {
    let store = Store::new();
    let log = store.folder().join("log");
    let path = log.to_str().unwrap();
    let args = [
        "api",
        "--ready",
        "line:up",
        "--log",
        path,
        "--",
        "sh",
        "-c",
        "echo up; read x",
    ];
    let mut running = supervised(&store, &args).spawn().unwrap();
    // Its input is empty, so it ends by itself.
    running.wait().unwrap();
    assert_eq!(fs::read_to_string(log).unwrap(), "up\n");
}

#[test]
fn a_server_that_dies_or_is_never_ready_is_an_error_at_once() {
    let store = Store::new();
    let args = ["api", "--ready", "listening", "--", "sh", "-c", "exit 3"];
    has(
        &stderr(&store.run(&args).code(1)),
        &["exit status: 3", "before it was ready"],
    );
    let late = ["--ready", "listening", "--ready-timeout", "0s"];
    let args = [&["api"], &late[..], &["--", "sleep", "1000"]].concat();
    has(
        &stderr(&store.run(&args).code(1)),
        &["is not ready", "nothing listens"],
    );
}

#[rstest]
#[case(&["--ready", "lisening"], &["lisening", "listening, http:/PATH"])]
#[case(&["--stop-signal", "STOP"], &["STOP", "TERM, INT"])]
#[case(&["--host", "local.net"], &["local.net"])]
#[case(&["--grace", "10"], &["10", "30d"])]
fn a_flag_that_makes_no_sense_starts_nothing(#[case] flags: &[&str], #[case] said: &[&str]) {
    let store = Store::new();
    let file = store.folder().join("started");
    let touch = format!("touch '{}'", file.display());
    let args = [&["api"], flags, &["--", "sh", "-c", &touch]].concat();
    has(&stderr(&store.run(&args).code(2)), said);
    assert!(!file.exists() && store.text().is_none());
}

#[test]
fn a_host_and_the_udp_port_can_be_held_and_the_hold_closed() {
    let store = Store::new();
    let script = r#"python3 -c '
import socket, sys
port = int(sys.argv[1])
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    socket.socket(socket.AF_INET, kind).bind(("127.0.0.2", port))
print("bound")' {port}"#;
    if find("python3").is_none() {
        return;
    }
    let args = [
        &store.api,
        "--host",
        "127.0.0.2",
        "--udp",
        "--close-hold",
        "--",
        "sh",
        "-c",
        script,
    ];
    store.run(&args).success().stdout("bound\n");
}

#[test]
fn what_is_read_for_a_line_is_passed_on() {
    let store = Store::new();
    let script = "echo early; echo to stderr >&2; echo up; sleep 0.1; echo late; exit 3";
    let words = ["web", "--ready", "line:up", "--", "sh", "-c", script];
    let done = store.run(&words).code(3);
    assert_eq!(stdout(&done), "early\nto stderr\nup\nlate\n");
    // A reader that has gone is no reason to fail.
    let mut child = store.command();
    child
        .args(words)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null());
    let mut child = child.spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(3));
}
