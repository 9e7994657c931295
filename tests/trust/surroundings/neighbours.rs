//! Processes that hold a lock or a lease, and do not let others have it.

use std::fs::{self, File, Permissions};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use port_for::{ErrorKind, PortFor};
use rustix::process::{Pid, Signal, kill_process};

use super::{STRANGER, api, is_refused, open, run, says, works};
use crate::support::child::this_program;
use crate::support::{ChildTest, report, wait_for_parent};

/// In a child: holds the id until the parent closes the pipe.
pub fn hold(store: &str, id: &str) -> ExitCode {
    let guard = PortFor::open(store).unwrap().guard(id).unwrap();
    report(guard.port());
    wait_for_parent();
    ExitCode::SUCCESS
}

/// In a child: locks the file, as every user who may read it can, until the parent closes the pipe.
pub fn lock(path: &str) -> ExitCode {
    let file = File::open(path).unwrap();
    fs2::FileExt::try_lock_exclusive(&file).unwrap();
    report("locked");
    wait_for_parent();
    ExitCode::SUCCESS
}

/// Our files, readable by all for some reason: every user who can read a file can lock it.
pub fn locks_held_by_a_stranger(folder: &Path) {
    let program = folder.join("program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
    let ports = open(folder);
    let port = ports.guard("api").unwrap().port();
    let leases = folder.join("ports.json.leases");
    fs::set_permissions(&leases, Permissions::from_mode(0o755)).unwrap();
    let stranger = |path: &Path| {
        fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
        let mut command = Command::new(&program);
        command
            .arg("trust:lock")
            .arg(path)
            .gid(STRANGER)
            .uid(STRANGER);
        let mut stranger = ChildTest::run(&mut command);
        assert_eq!(stranger.line(), "locked");
        stranger
    };
    let lock = stranger(&folder.join("ports.json.lock"));
    assert_eq!(ports.guard("api").unwrap().port(), port);
    is_refused(
        &ports,
        "new",
        ErrorKind::Store,
        &["ports.json.lock", "PORT_FOR_TIMEOUT"],
    );
    lock.join();
    let lease = leases.join(format!("{port}.lock"));
    let held = stranger(&lease);
    is_refused(
        &ports,
        "api",
        ErrorKind::Busy,
        &[lease.to_str().unwrap(), "longer timeout"],
    );
    works(&ports, "new");
    held.join();
    assert_eq!(works(&ports, "api"), port);
}

pub fn stopped_holder(folder: &Path) {
    let (ports, id) = (open(folder), api(folder));
    let mut command = this_program();
    command.arg("trust:hold").arg(ports.path()).arg(&id);
    let mut holder = ChildTest::run(&mut command);
    let port = holder.line();
    let signal = |signal| {
        let pid = Pid::from_raw(holder.id().cast_signed()).expect("a process");
        kill_process(pid, signal).unwrap();
    };
    signal(Signal::STOP);
    let pid = format!("process {}", holder.id());
    is_refused(
        &ports,
        &id,
        ErrorKind::Busy,
        &[&id, &port, &pid, "trust:hold"],
    );
    says(&ports.release(&id).unwrap_err(), ErrorKind::Busy, &[&pid]);
    // No other id is kept waiting.
    works(&ports, "other");
    signal(Signal::CONT);
    holder.join();
    assert_eq!(works(&ports, &id).to_string(), port);
}

/// Each with its own processes, users, network and paths, and one folder.
pub fn two_containers(folder: &Path) {
    let ports = open(folder);
    let id = api(folder);
    let elsewhere = tempfile::tempdir().unwrap();
    let container = || {
        let mut command = Command::new("unshare");
        command
            .args(["--user", "--map-root-user", "--net", "--pid", "--mount", "--fork"])
            .args(["--kill-child", "sh", "-c"])
            .arg("ip link set lo up; mount --bind \"$1\" \"$2\"; exec \"$0\" trust:hold \"$2/ports.json\" \"$3\"")
            .arg(std::env::current_exe().unwrap())
            .args([folder, elsewhere.path()])
            .arg(&id);
        let mut holder = ChildTest::run(&mut command);
        let port: u16 = holder.line().parse().unwrap();
        (holder, port)
    };
    let (first, port) = container();
    assert_eq!(ports.forward_port(&id, 0).unwrap(), port, "one store");
    // Its port is free here, because its network is another; the lease says that it is held.
    drop(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap());
    is_refused(&ports, &id, ErrorKind::Busy, &["trust:hold", "process 1 "]);
    drop(first);
    // Killed from outside: its lease went with it.
    let started = Instant::now();
    let (second, same) = container();
    assert_eq!(same, port);
    assert!(started.elapsed() < Duration::from_secs(5));
    is_refused(&ports, &id, ErrorKind::Busy, &["trust:hold"]);
    second.join();
    assert_eq!(works(&ports, &id), port);
}

/// What is promised inside of a store needs nothing that `/proc` tells; only the names of strangers are lost.
pub fn no_proc(folder: &Path) {
    run(&["ip", "link", "set", "lo", "up"]);
    run(&["mount", "-t", "tmpfs", "none", "/proc"]);
    let ports = open(folder);
    let id = api(folder);
    let mut guard = ports.guard(&id).unwrap();
    let port = guard.port();
    is_refused(&ports, &id, ErrorKind::Busy, &["this very process"]);
    let server = TcpListener::bind(guard.vacate().unwrap()).unwrap();
    is_refused(&ports, &id, ErrorKind::Busy, &["this very process"]);
    drop(guard);
    // The server outlives its guard: a stranger, whose name is in `/proc`.
    is_refused(&ports, &id, ErrorKind::Occupied, &["cannot be held"]);
    drop(server);
    assert_eq!(works(&ports, &id), port);
}
