//! What a server is started in: its test's folder, environment and limits, and none of its test's signals and files.
//!
//! A server is started in one way by a recipe and in another by a `Command`. Neither shows.

#![allow(unsafe_code)] // Signals, and streams that are closed.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use port_for::{PortFor, Ready, ServerCommand};
use rustix::process::{Signal, kill_process_group};

use crate::children::ids;
use crate::support::child::{in_shell, test_name};
use crate::support::privileges::can_unshare;
use crate::support::{ChildTest, PATIENCE, TempStore, command, report, told};

/// Tells all that a process has from its parent, but its number and the mark of a recipe.
const TELL: &str = "
    cat /proc/self/status | grep -E '^(Umask|Groups|SigBlk|SigIgn|SigCgt|NoNewPrivs|Cpus_allowed):'
    pwd; ulimit -a; nice
    unset PORT_FOR_OWNER; env | sort
    for fd in 0 1 2; do readlink /proc/$$/fd/$fd | sed 's/[0-9][0-9]*/N/g'; done
    set -- /proc/$$/fd/*; echo $#
    [ $$ = $(ps -o pgid= -p $$) ] && echo leads its group
    [ $(ps -o sid= -p $$) = $(ps -o ppid= -p $$) ] && echo has the session of its guardian
    ps -o tty= -p $$
    echo told; exec sleep 1000";

#[test]
fn a_recipe_and_a_command_start_a_server_in_the_same_surroundings() {
    let store = TempStore::new();
    ChildTest::start(test_name!(unusual), store.path(), "").join();
}

#[test]
#[ignore = "a test process for another test"]
fn unusual() {
    extern "C" fn handler(_: libc::c_int) {}
    let Some((path, _)) = told() else { return };
    let folder = path.parent().unwrap();
    // SAFETY: the handler does nothing, and the set is made before it is read.
    unsafe {
        libc::umask(0o027);
        let handler = handler as extern "C" fn(libc::c_int) as libc::sighandler_t;
        libc::signal(libc::SIGUSR1, handler);
        libc::signal(libc::SIGINT, libc::SIG_IGN);
        libc::signal(libc::SIGHUP, libc::SIG_IGN);
        let mut blocked = std::mem::zeroed();
        libc::sigemptyset(&raw mut blocked);
        libc::sigaddset(&raw mut blocked, libc::SIGTERM);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const blocked, std::ptr::null_mut());
    }
    rustix::process::setrlimit(
        rustix::process::Resource::Nofile,
        rustix::process::Rlimit {
            current: Some(500),
            maximum: Some(900),
        },
    )
    .unwrap();
    std::env::set_current_dir(folder).unwrap();

    let store = PortFor::open(&path).unwrap();
    let [id] = ids(&store, ["surroundings"]);
    let mut guard = store.guard(&id).unwrap();
    for (clears, dir) in [(false, None), (true, Some("/usr"))] {
        // By a name that is looked up, also where there is no `PATH`.
        let mut recipe = ServerCommand::new("sh");
        let mut command = Command::new("sh");
        if clears {
            recipe = recipe.env_clear();
            command.env_clear();
        }
        if let Some(dir) = dir {
            recipe = recipe.current_dir(dir);
            command.current_dir(dir);
        }
        recipe = recipe
            .arg("-c")
            .literal_arg(TELL)
            .env("OWN", "a b")
            .env_remove("HOME");
        command
            .args(["-c", TELL])
            .env("OWN", "a b")
            .env_remove("HOME");
        let by_recipe = guard.start(&recipe.ready(Ready::line("told"))).unwrap();
        let said = by_recipe.output().unwrap();
        drop(by_recipe);
        let mut by_command = guard.spawn(&mut command).unwrap();
        by_command.wait_for(&Ready::line("told"), PATIENCE).unwrap();
        assert_eq!(said, by_command.output().unwrap());
        for expected in [
            "Umask:\t0027",
            "SigBlk:\t0000000000000000",
            "SigCgt:\t0000000000000000",
            dir.unwrap_or(folder.to_str().unwrap()),
            "OWN=a b",
            "leads its group",
            "has the session of its guardian",
        ] {
            assert!(
                said.lines().any(|line| line == expected),
                "{expected}: {said}"
            );
        }
        assert_eq!(said.contains("TEST_STORE="), !clears, "{said}");
        // Of what the test ignores: neither SIGINT, by which a server may be stopped, nor SIGPIPE, as all programs in Rust do.
        let mask = said.lines().find_map(|line| line.strip_prefix("SigIgn:\t"));
        let mask = u64::from_str_radix(mask.unwrap(), 16).unwrap();
        let is_ignored = |signal: libc::c_int| mask >> (signal - 1) & 1 == 1;
        let are_ignored = [libc::SIGHUP, libc::SIGINT, libc::SIGPIPE].map(is_ignored);
        assert_eq!(are_ignored, [true, false, false], "{said}");
    }
}

/// What a handler has seen: how often it ran, and whether in another process.
static SEEN: (AtomicU32, AtomicU32, AtomicBool) =
    (AtomicU32::new(0), AtomicU32::new(0), AtomicBool::new(false));

#[test]
fn signals_to_the_tests_group_reach_no_server_and_no_guardian_that_is_being_started() {
    let store = TempStore::new();
    ChildTest::start(test_name!(showered), store.path(), "").join();
}

#[test]
#[ignore = "a test process for another test"]
fn showered() {
    extern "C" fn handler(_: libc::c_int) {
        let (count, us, is_elsewhere) = &SEEN;
        count.fetch_add(1, Ordering::Relaxed);
        if std::process::id() != us.load(Ordering::Relaxed) {
            is_elsewhere.store(true, Ordering::Relaxed);
        }
    }
    let Some((path, _)) = told() else { return };
    let (count, us, is_elsewhere) = &SEEN;
    us.store(std::process::id(), Ordering::Relaxed);
    // SAFETY: the handler writes to atomic numbers.
    unsafe {
        let handler = handler as extern "C" fn(libc::c_int) as libc::sighandler_t;
        libc::signal(libc::SIGUSR1, handler);
    }
    rustix::process::setpgid(None, None).unwrap();
    let group = rustix::process::getpgrp();
    thread::spawn(move || {
        loop {
            kill_process_group(group, Signal::USR1).unwrap();
            // Often enough for each start to meet some, and for a sleep to end all the same.
            thread::sleep(Duration::from_micros(100));
        }
    });
    let store = PortFor::open(&path).unwrap();
    let [id] = ids(&store, ["showered"]);
    let mut guard = store.guard(&id).unwrap();
    let command = ServerCommand::new("sh")
        .args(["-c", "echo up; exec sleep 1000"])
        .ready(Ready::line("up"));
    for _ in 0..50 {
        let mut server = guard.start(&command).unwrap();
        assert!(server.is_running());
        assert!(!server.stop().unwrap().was_killed());
    }
    assert_ne!(count.load(Ordering::Relaxed), 0);
    assert!(
        !is_elsewhere.load(Ordering::Relaxed),
        "a child ran the handler"
    );
}

#[test]
fn a_test_whose_streams_are_closed_has_servers() {
    let store = TempStore::new();
    let said = store.folder().join("said");
    let process = ChildTest::start(
        test_name!(without_streams),
        store.path(),
        said.to_str().unwrap(),
    );
    process.ended();
    assert_eq!(fs::read_to_string(said).unwrap(), "heard\nsaid\n");
}

#[test]
#[ignore = "a test process for another test"]
fn without_streams() {
    let Some((path, file)) = told() else { return };
    let store = PortFor::open(&path).unwrap();
    let [id] = ids(&store, ["without streams"]);
    let mut guard = store.guard(&id).unwrap();
    for stream in 0..3 {
        // SAFETY: this process does not use its streams from here on.
        unsafe { libc::close(stream) };
    }
    let command = ServerCommand::new("sh")
        .args([
            "-c",
            "read word; echo heard $word; echo said >&2; exec sleep 1000",
        ])
        .ready(Ready::line("said"));
    let server = guard.start(&command).unwrap();
    fs::write(file, server.output().unwrap()).unwrap();
    drop(server);
    std::process::exit(0);
}

/// The system cannot run it by itself.
#[test]
fn a_script_that_names_no_interpreter_is_run_by_a_shell() {
    let store = TempStore::new();
    let script = store.folder().join("server");
    fs::write(&script, "echo up $0 $1\nexec sleep 1000\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let mut guard = store.guard(&store.api).unwrap();
    let command = ServerCommand::new(&script).arg("{port}");
    let server = guard.start(&command.ready(Ready::line("up"))).unwrap();
    let expected = format!("up {} {guard}\n", script.display());
    assert_eq!(server.output().unwrap(), expected);
}

/// In a file system of its own, which only root makes.
#[test]
fn where_proc_is_hidden_a_server_runs_and_stderr_says_what_is_lost() {
    if !can_unshare("--mount") {
        return;
    }
    let store = TempStore::new();
    let test = command(test_name!(has_a_server), store.path(), "");
    let script = r#"exec unshare --mount sh -c 'mount -t tmpfs none /proc; exec "$@"' sh "$@""#;
    let mut process = ChildTest::run(in_shell(script, &test).stderr(Stdio::piped()));
    assert_eq!(process.line(), "running");
    let mut said = String::new();
    process.stderr().read_to_string(&mut said).unwrap();
    process.join();
    let why =
        "the system does not tell where this crate was loaded from, and so no guardian can be run";
    assert!(said.contains(why), "{said}");
}

#[test]
#[ignore = "a test process for another test"]
fn has_a_server() {
    let Some((path, _)) = told() else { return };
    let store = PortFor::open(&path).unwrap();
    let [id] = ids(&store, ["without proc"]);
    let command = ServerCommand::new("sh").args(["-c", "echo up; exec sleep 1000"]);
    let ready = Ready::line("up");
    let server = store.request(&id).start(&command.ready(ready)).unwrap();
    assert!(server.is_running());
    report("running");
}
