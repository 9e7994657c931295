//! `port-for NAME -- CMD` where a process cannot become a command: it waits for it.
#![cfg(windows)]

use std::io::Read;
use std::time::Duration;

use port_for::{ErrorKind, OnBusy};

use crate::{Store, has, stderr};

#[test]
fn the_lease_lasts_as_long_as_the_process_and_the_command_no_longer() {
    let store = Store::new();
    // It waits for more to do.
    let mut running = store.start(&["waiting/lease", "--", "cmd", "/k", "echo up"]);
    let mut out = running.0.stdout.take().unwrap();
    out.read_exact(&mut [0; 2]).unwrap();
    let ports = store.library();
    let error = ports
        .request("waiting/lease")
        .on_busy(OnBusy::Fail)
        .guard()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
    has(
        &error.to_string(),
        &[&running.0.id().to_string(), "-- cmd /k"],
    );

    running.0.kill().unwrap();
    // Its output ends when the command has ended.
    out.read_to_end(&mut Vec::new()).unwrap();
    let again = ports.request("waiting/lease");
    let again = again.timeout(Duration::from_secs(10)).guard();
    again.unwrap().close().unwrap();
}

#[test]
fn words_and_variables_tell_the_ports() {
    let store = Store::new();
    let (api, db) = (store.port(&["waiting/api"]), store.port(&["waiting/db"]));
    let script = "echo %PORT% %PORT_WAITING_DB% {port} http://{addr:waiting/db}/";
    let done = store.run(&["waiting/api", "waiting/db", "--", "cmd", "/c", script]);
    let expected = format!("{api} {db} {api} http://127.0.0.1:{db}/\r\n");
    done.success().stdout(expected);
}

#[test]
fn no_command_inherits_a_socket() {
    let store = Store::new();
    let args = ["waiting/inherit", "--inherit", "--", "cmd", "/c", "exit 0"];
    let done = store.run(&args).code(1).stdout("");
    has(&stderr(&done), &["let the program bind the port by itself"]);
}

#[test]
fn a_command_that_is_not_there_is_named() {
    let store = Store::new();
    let done = store.run(&["waiting/none", "--", "no-such-command"]);
    has(&stderr(&done.code(127).stdout("")), &["`no-such-command`"]);
}
