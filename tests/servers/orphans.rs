//! Whatever a server does with groups, sessions and daemons: nothing of it outlives its test.

#![allow(unsafe_code)] // A signal is ignored, and children are reaped.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use port_for::{ErrorKind, OnBusy, PortFor, PortGuard, Ready, Server, ServerCommand};
use rstest::rstest;
use rustix::process::{Pid, Signal, kill_process};

use crate::children::{end_as_told, ids};
use crate::support::child::{in_shell, test_name};
use crate::support::installed::find;
use crate::support::privileges::{can_unshare, is_root};
use crate::support::{
    ChildTest, PATIENCE, TempStore, command, eventually, report, told, wait_for_parent,
};

/// A shape of a server, as a shell's script: `$RUN` is a program that runs for long, and has the mark in its environment.
const SHAPES: [(&str, &str); 8] = [
    ("plain", "exec sleep 1000"),
    ("timeout", "exec timeout 1000 sleep 1000"),
    ("monitor", "set -m; sleep 1000 & wait"),
    ("setsid", "exec setsid sleep 1000"),
    ("script", "exec script -qec 'sleep 1000' /dev/null"),
    ("new session", "setsid sleep 1000 & exec sleep 1000"),
    (
        "double fork",
        "(setsid sh -c 'sleep 1000 & exit 0' &); exit 0",
    ),
    (
        "many",
        "i=0; while [ $i -lt 150 ]; do sleep 1000 & setsid sleep 1000 & i=$((i+1)); done; wait",
    ),
];

const THOUSAND: usize = 1000;
/// Half of them with sessions of their own; of two servers.
const A_THOUSAND: &str =
    "i=0; while [ $i -lt 250 ]; do sleep 1000 & setsid sleep 1000 & i=$((i+1)); done; wait";

fn shape(mark: &str, script: &str) -> ServerCommand {
    ServerCommand::new("bash")
        .arg("-c")
        .literal_arg(format!("echo started; {script}"))
        .env("TEST_MARK", mark)
        .ready(Ready::line("started"))
}

/// Starts the shape from a `Command`, which is another way than a recipe's.
fn spawn(guard: &mut PortGuard, mark: &str, script: &str) -> Server {
    let mut command = Command::new("bash");
    command.args(["-c", &format!("echo started; {script}")]);
    let mut server = guard.spawn(command.env("TEST_MARK", mark)).unwrap();
    let started = Ready::line("started");
    server.wait_for(&started, PATIENCE).unwrap();
    server
}

/// The processes that have the mark in their environment.
fn marked(mark: &str) -> Vec<String> {
    let wanted = format!("TEST_MARK={mark}");
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|process| {
            let environment = fs::read(process.path().join("environ")).ok()?;
            let has = environment
                .split(|&byte| byte == 0)
                .any(|it| it == wanted.as_bytes());
            has.then(|| process.path().display().to_string())
        })
        .collect()
}

#[track_caller]
fn nothing_is_left(mark: &str, how: &str) {
    let since = Instant::now();
    loop {
        let left = marked(mark);
        if left.is_empty() {
            return;
        }
        assert!(since.elapsed() < Duration::from_secs(20), "{how}: {left:?}");
        std::thread::yield_now();
    }
}

fn mark_of(store: &Path) -> String {
    store.display().to_string()
}

#[rstest]
fn nothing_outlives_a_test(
    #[values(0, 1, 2, 3, 4, 5, 6, 7)] nth: usize,
    #[values("panic", "abort", "kill", "exit", "interrupt")] end: &str,
) {
    let store = TempStore::new();
    let process = ChildTest::start(TEST, store.path(), &format!("{nth}|{end}"));
    nothing_is_left_of(process, store.path(), SHAPES[nth].0, end);
}

const TEST: &str = test_name!(test_process);

/// The test process is to have two servers, and to end as it is told.
#[track_caller]
fn nothing_is_left_of(mut process: ChildTest, store: &Path, shape: &str, end: &str) {
    assert_eq!(process.line(), "ready");
    let mark = mark_of(store);
    // Between a fork and what it executes, a process shows no environment.
    let since = Instant::now();
    while marked(&mark).is_empty() {
        assert!(
            since.elapsed() < Duration::from_secs(20),
            "it has ended by itself"
        );
    }
    match end {
        "kill" => process.kill(),
        "interrupt" => {
            let pid = Pid::from_raw(process.id().cast_signed()).unwrap();
            kill_process(pid, Signal::INT).unwrap();
            process.ended();
        }
        _ => {
            process.go_on();
            process.ended();
        }
    }
    nothing_is_left(&mark, shape);
}

#[rstest]
fn nothing_outlives_a_test_that_has_spawned_a_command(
    #[values(0, 1, 2, 3, 4, 5, 6, 7)] nth: usize,
    #[values("abort", "kill")] end: &str,
) {
    let store = TempStore::new();
    let process = ChildTest::start(TEST, store.path(), &format!("command {nth}|{end}"));
    nothing_is_left_of(process, store.path(), SHAPES[nth].0, end);
}

#[test]
fn a_thousand_descendants_end_with_a_killed_test() {
    let store = TempStore::new();
    let process = ChildTest::start(TEST, store.path(), &format!("{THOUSAND}|kill"));
    nothing_is_left_of(process, store.path(), "a thousand", "kill");
}

/// Root alone may become another user.
#[rstest]
fn nothing_outlives_another_users_test(
    #[values(0, 1, 2, 3, 4, 5, 6)] nth: usize,
    #[values("panic", "kill")] end: &str,
) {
    if !is_root() {
        return;
    }
    let store = TempStore::new();
    std::os::unix::fs::chown(store.folder(), Some(65_534), Some(65_534)).unwrap();
    let test = command(TEST, store.path(), &format!("{nth}|{end}"));
    let script =
        r#"exec setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all -- "$@""#;
    let process = ChildTest::run(&mut in_shell(script, &test));
    nothing_is_left_of(process, store.path(), SHAPES[nth].0, end);
}

/// In a file system of its own, which only root makes.
#[rstest]
fn nothing_outlives_a_test_where_there_is_no_shell(
    #[values("sleep 1000", "timeout 1000 sleep 1000", "setsid --fork sleep 1000")] server: &str,
    #[values("panic", "kill")] end: &str,
) {
    if !can_unshare("--mount") {
        return;
    }
    let store = TempStore::new();
    let test = command(TEST, store.path(), &format!("{server}|{end}"));
    let script = r#"exec unshare --mount sh -c '
        for shell in $(readlink -f /bin/sh /bin/bash | sort -u); do mount --bind /dev/null "$shell"; done
        exec "$@"' sh "$@""#;
    let process = ChildTest::run(&mut in_shell(script, &test));
    nothing_is_left_of(process, store.path(), server, end);
}

#[test]
#[ignore = "a test process for other tests"]
fn test_process() {
    let Some((path, told)) = told() else { return };
    let (shape_told, end) = told.split_once('|').unwrap();
    let store = PortFor::open(&path).unwrap();
    let ids = ids(&store, ["one", "two"]);
    let [mut one, mut two] = store.guards(ids.each_ref().map(|id| &**id)).unwrap();
    let mark = mark_of(&path);
    if let Some(nth) = shape_told.strip_prefix("command ") {
        let (_, script) = SHAPES[nth.parse::<usize>().unwrap()];
        let servers = [&mut one, &mut two].map(|guard| spawn(guard, &mark, script));
        report("ready");
        let [a, b] = servers;
        return end_as_told(end, [(one, a), (two, b)]);
    }
    let command = match shape_told.parse::<usize>() {
        Ok(THOUSAND) => shape(&mark, A_THOUSAND),
        Ok(nth) => shape(&mark, SHAPES[nth].1),
        // Without a shell.
        Err(_) => {
            let mut words = shape_told.split(' ');
            ServerCommand::new(words.next().unwrap())
                .args(words)
                .env("TEST_MARK", mark)
                .ready(Ready::command("true", [""; 0]))
        }
    };
    let servers = [one.start(&command).unwrap(), two.start(&command).unwrap()];
    report("ready");
    let [a, b] = servers;
    end_as_told(end, [(one, a), (two, b)]);
}

#[rstest]
fn nothing_outlives_its_server(
    #[values(0, 1, 2, 3, 4, 5, 6, 7)] nth: usize,
    #[values("drop", "stop", "kill", "drop of a command")] end: &str,
) {
    let (name, script) = SHAPES[nth];
    let store = TempStore::new();
    let mark = mark_of(store.path());
    let mut guard = store.guard(&store.api).unwrap();
    let mut server = match end {
        "drop of a command" => spawn(&mut guard, &mark, script),
        _ => guard.start(&shape(&mark, script)).unwrap(),
    };
    match end {
        "drop" | "drop of a command" => drop(server),
        "stop" => drop(server.stop().unwrap()),
        _ => drop(server.kill().unwrap()),
    }
    // At once: the call waits for it.
    assert!(marked(&mark).is_empty(), "{name}: {:?}", marked(&mark));
}

/// The test process's own waiting does not matter: an ignored `SIGCHLD`, and a reaper that takes whatever it can get.
#[rstest]
fn a_server_is_observed_whoever_asks_for_children(#[values("ignored", "reaped")] how: &str) {
    let store = TempStore::new();
    let process = ChildTest::start("orphans::careless", store.path(), how);
    process.join();
}

#[test]
#[ignore = "a test process for another test"]
fn careless() {
    let Some((path, how)) = told() else { return };
    if how == "ignored" {
        // SAFETY: no handler is installed.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    } else {
        std::thread::spawn(|| {
            loop {
                // SAFETY: the pointer may be null.
                unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) };
                std::thread::yield_now();
            }
        });
    }
    let store = PortFor::open(&path).unwrap();
    let [id] = ids(&store, ["careless"]);
    let mut guard = store.guard(&id).unwrap();
    let seven = ServerCommand::new("sh")
        .args(["-c", "echo up; read x; exit 7"])
        .ready(Ready::line("never said"));
    let error = guard.start(&seven).unwrap_err();
    assert!(error.to_string().contains("exit status: 7"), "{error}");
    let mut server = guard.start(&shape("careless", "exec sleep 1000")).unwrap();
    assert!(server.is_running());
    let stopped = server.stop().unwrap();
    assert!(
        stopped.status().to_string().contains("SIGTERM"),
        "{stopped:?}"
    );
    assert!(!stopped.was_killed());
}

#[test]
fn a_daemon_is_a_server() {
    let Some(program) = crate::support::installed::find("redis-server") else {
        return;
    };
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let command = ServerCommand::new(program).args([
        "--port",
        "{port}",
        "--save",
        "",
        "--daemonize",
        "yes",
        "--dir",
        "{dir}",
    ]);
    let mut server = guard.start(&command).unwrap();
    assert!(server.is_running());
    assert_eq!(
        crate::programs::redis(guard.addr(), "PING").unwrap(),
        "+PONG\r\n"
    );
    assert!(!server.stop().unwrap().was_killed());
    crate::programs::redis(guard.addr(), "PING").unwrap_err();
}

/// It takes an accident: the guardian was killed as well, and the server is no child of its.
#[test]
fn what_an_earlier_run_has_left_is_ended_where_that_is_asked_for() {
    if find("python3").is_none() {
        return;
    }
    let store = TempStore::new();
    let mut process = ChildTest::start(test_name!(leaves_an_orphan), store.path(), "");
    let first: u32 = process.line().parse().unwrap();
    let stat = fs::read_to_string(format!("/proc/{first}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let guardian: i32 = fields.split(' ').nth(1).unwrap().parse().unwrap();
    kill_process(Pid::from_raw(guardian).unwrap(), Signal::KILL).unwrap();
    process.kill();

    let [id] = ids(&store, ["orphan"]);
    let request = || store.request(&id).timeout(Duration::ZERO);
    let error = request().guard().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Occupied, "{error}");
    let port = store.forward_port(&id, 0).unwrap();
    let reaping = store.request(&id).on_busy(OnBusy::Reap).timeout(PATIENCE);
    assert_eq!(reaping.guard().unwrap().port(), port);

    // A process without the mark is never ended.
    let stranger = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let error = request().on_busy(OnBusy::Reap).guard().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Occupied, "{error}");
    drop(stranger);
}

#[test]
#[ignore = "a test process for another test"]
fn leaves_an_orphan() {
    let Some((path, _)) = told() else { return };
    let store = PortFor::open(&path).unwrap();
    let [id] = ids(&store, ["orphan"]);
    let daemon = "setsid python3 -m http.server --bind 127.0.0.1 $0 & wait";
    let command = ServerCommand::new("bash")
        .args(["-c", daemon, "{port}"])
        .ready(Ready::http("/"));
    let server = store.request(&id).start(&command).unwrap();
    report(server.id());
    wait_for_parent();
}

#[test]
#[ignore = "a test process for another test"]
fn starts_slowly() {
    let Some((path, pids)) = told() else { return };
    let store = PortFor::open(&path).unwrap();
    let script = format!(
        "setsid sleep 1000 & echo {} $! > {pids}; wait",
        std::process::id()
    );
    let command = ServerCommand::new("bash").args(["-c"]).literal_arg(script);
    let [id] = ids(&store, ["slow"]);
    let _ = store
        .request(&id)
        .start(&command.ready(Ready::line("never")));
}

/// Its server has a descendant already, and there is no guardian yet: the kernel is made to be slow.
#[test]
fn nothing_outlives_a_test_that_is_killed_while_its_guardian_starts() {
    let Some(strace) = find("strace") else { return };
    let store = TempStore::new();
    let pids = store.folder().join("pids");
    let test = command(
        test_name!(starts_slowly),
        store.path(),
        pids.to_str().unwrap(),
    );
    let mut slow = Command::new(strace);
    slow.args(["-f", "-o", "/dev/null", "-e", "trace=close_range"])
        .args(["-e", "inject=close_range:delay_enter=1000000"])
        .arg(test.get_program())
        .args(test.get_args());
    for (name, value) in test.get_envs() {
        match value {
            Some(value) => slow.env(name, value),
            None => slow.env_remove(name),
        };
    }
    let mut slow = slow.stdout(std::process::Stdio::null()).spawn().unwrap();
    let mut told = Vec::new();
    eventually("the descendant", || {
        let written = fs::read_to_string(&pids).unwrap_or_default();
        told = written
            .split_whitespace()
            .map(|pid| pid.parse::<i32>().unwrap())
            .collect();
        told.len() == 2
    });
    let [test, descendant] = told[..] else {
        unreachable!()
    };
    kill_process(Pid::from_raw(test).unwrap(), Signal::KILL).unwrap();
    eventually("the end of the descendant", || {
        !Path::new(&format!("/proc/{descendant}")).exists()
    });
    slow.wait().unwrap();
}
