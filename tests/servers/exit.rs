//! However a test ends, real servers end; and a fork is no end.

#![allow(unsafe_code, reason = "there is no safe way to fork")]

use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use port_for::{OnBusy, PortFor};
use rstest::rstest;

use crate::children::{end_as_told, ids, server_of};
use crate::programs::redis_command;
use crate::support::child::test_name;
use crate::support::installed::find;
use crate::support::wait::within;
use crate::support::{ChildTest, PATIENCE, TempStore, in_shell, report, told, wait_for_parent};

/// Whether the process runs. One that only waits for its parent to ask for its status does not.
pub fn is_alive(pid: u32) -> bool {
    let state = Command::new("ps")
        .args(["-o", "stat=", "-p", &pid.to_string()])
        .output()
        .unwrap();
    let state = String::from_utf8(state.stdout).unwrap();
    !state.trim().is_empty() && !state.trim().starts_with('Z')
}

#[track_caller]
fn assert_gone_within_a_second(pids: &[u32]) {
    let are_gone = within(Duration::from_secs(1), || {
        !pids.iter().any(|&pid| is_alive(pid))
    });
    assert!(are_gone, "{pids:?} are left");
}

/// How the test process ends.
const ENDS: [&str; 5] = ["panic", "abort", "kill", "exit", "return"];

/// Starts redis, once by itself and once by a shell, and ends.
#[test]
#[ignore = "a test process for other tests"]
fn test_process() {
    let Some((store, end)) = told() else { return };
    let Some(program) = find("redis-server") else {
        return;
    };
    let store = PortFor::open(store).unwrap();
    let ids = ids(&store, ["direct", "by shell"]);
    let [mut direct, mut by_shell] = store.guards(ids.each_ref().map(|id| &**id)).unwrap();
    let port = direct.port();
    let mut one = direct.spawn(&mut redis_command(&program, port)).unwrap();
    one.wait_ready(PATIENCE).unwrap();
    let redis = redis_command(&program, by_shell.port());
    let mut shell = in_shell(r#""$@" & echo $! > "$PID_FILE"; wait"#, &redis);
    let file = store.path().with_extension("pid");
    let mut two = by_shell.spawn(shell.env("PID_FILE", &file)).unwrap();
    two.wait_ready(PATIENCE).unwrap();
    let grandchild = std::fs::read_to_string(file).unwrap();
    report(format_args!(
        "{} {} {}",
        one.id(),
        two.id(),
        grandchild.trim()
    ));
    end_as_told(&end, [(direct, one), (by_shell, two)]);
}

#[rstest]
fn no_server_is_left_and_its_port_is_free(#[values(0, 1, 2, 3, 4)] end: usize) {
    if find("redis-server").is_none() {
        return;
    }
    let store = TempStore::new();
    let mut process = ChildTest::start(test_name!(test_process), store.path(), ENDS[end]);
    let pids: Vec<u32> = process
        .line()
        .split(' ')
        .map(|pid| pid.parse().unwrap())
        .collect();
    assert!(pids.iter().all(|&pid| is_alive(pid)));
    if ENDS[end] == "kill" {
        process.kill();
    } else {
        process.go_on();
        process.ended();
    }
    assert_gone_within_a_second(&pids);
    for id in ids(&store, ["direct", "by shell"]) {
        drop(store.request(&id).timeout(Duration::ZERO).guard().unwrap());
    }
}

/// A process that is forked and never runs a program: it shares everything with its parent.
#[test]
#[ignore = "a test process for another test"]
fn forking() {
    let Some((path, _)) = told() else { return };
    let store = PortFor::open(&path).unwrap();
    let ids = ids(&store, ["held", "served"]);
    let [held, mut served] = store.guards(ids.each_ref().map(|id| &**id)).unwrap();
    let mut hello = served
        .spawn(&mut server_of(&path, "hello", served.addr()))
        .unwrap();
    hello.wait_ready(PATIENCE).unwrap();
    let mut all = Some((held, served, hello));
    in_a_fork(|| drop(all.take()));
    let (mut held, served, mut hello) = all.expect("it is gone in the fork, and not here");
    excludes_its_fork(&store);
    gives_up_what_its_fork_has_copies_of(&store);
    lets_go_of_the_store(&store);
    // Held, served and leased as before.
    TcpStream::connect(held.addr()).unwrap();
    assert_eq!(crate::children::greeting(served.addr()), "hello");
    report("unharmed");
    wait_for_parent();
    held.take_listener().unwrap();
    hello.stop().unwrap();
}

/// Runs a process that is a copy of this one, has one thread, and ends after that.
pub fn in_a_fork(act: impl FnOnce()) {
    // SAFETY: what the child does locks nothing that another thread of its parent could have locked, and it ends without
    // running anything else.
    let child = unsafe { libc::fork() };
    if child == 0 {
        act();
        // SAFETY: it ends this process.
        unsafe { libc::_exit(0) };
    }
    let mut status = 1;
    // SAFETY: the pointer is to a number that lives here.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(status, 0);
}

/// What a process has open, its forks have too; a lease that one of them takes is its own all the same.
fn excludes_its_fork(store: &PortFor) {
    let [id] = ids(store, ["used before"]);
    drop(store.guard(&id).unwrap());
    let mut guard = None;
    let fork = Stopped::fork(|| guard = Some(store.guard(&id).unwrap()));
    let error = store.request(&id).timeout(Duration::ZERO).guard();
    let error = error.unwrap_err();
    assert_eq!(error.kind(), port_for::ErrorKind::Busy, "{error}");
    drop(fork);
    drop(store.guard(&id).unwrap());
}

/// Nor do the copies that a fork has keep what its parent gives up.
fn gives_up_what_its_fork_has_copies_of(store: &PortFor) {
    let [id] = ids(store, ["copied"]);
    let guard = store.guard(&id).unwrap();
    let fork = Stopped::fork(|| ());
    drop(guard);
    drop(store.request(&id).timeout(Duration::ZERO).guard().unwrap());
    drop(fork);
}

/// Nor do the copies that forks have of the store's lock, whatever its parent was writing when it forked.
fn lets_go_of_the_store(store: &PortFor) {
    let is_over = AtomicBool::new(false);
    let forks: Vec<_> = thread::scope(|scope| {
        scope.spawn(|| {
            for nth in 0.. {
                let [id] = ids(store, [&format!("new {nth}")]);
                // In the way is a fork at worst, and then for as long as it lives.
                if store
                    .request(&id)
                    .on_busy(OnBusy::Fail)
                    .timeout(Duration::ZERO)
                    .guard()
                    .is_err()
                {
                    break;
                }
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        let forks = (0..10).map(|_| Stopped::fork(|| ())).collect();
        is_over.store(true, Ordering::Relaxed);
        forks
    });
    let [id] = ids(store, ["newest"]);
    drop(store.request(&id).timeout(Duration::ZERO).guard().unwrap());
    drop(forks);
}

/// A fork that stands still.
struct Stopped(libc::pid_t);

impl Stopped {
    fn fork(first: impl FnOnce()) -> Self {
        // SAFETY: the child does that and stops, until it is killed. Either there is nothing to do, or no other thread of
        // this process is busy.
        let child = unsafe { libc::fork() };
        if child == 0 {
            first();
            loop {
                // SAFETY: it stops this process.
                unsafe { libc::raise(libc::SIGSTOP) };
            }
        }
        let mut status = 0;
        // SAFETY: the pointer is to a number that lives here.
        unsafe { libc::waitpid(child, &raw mut status, libc::WUNTRACED) };
        assert!(libc::WIFSTOPPED(status));
        Self(child)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let mut status = 0;
        // SAFETY: the process was forked above, and is waited for below.
        unsafe { libc::kill(self.0, libc::SIGKILL) };
        // SAFETY: the pointer is to a number that lives here.
        unsafe { libc::waitpid(self.0, &raw mut status, 0) };
    }
}

#[test]
fn a_fork_that_never_execs_does_its_parent_no_harm() {
    let store = TempStore::new();
    let mut process = ChildTest::start(test_name!(forking), store.path(), "");
    assert_eq!(process.line(), "unharmed");
    for id in ids(&store, ["held", "served"]) {
        let error = store
            .request(&id)
            .timeout(Duration::ZERO)
            .guard()
            .unwrap_err();
        assert_eq!(error.kind(), port_for::ErrorKind::Busy);
        assert!(
            error
                .to_string()
                .contains(&format!("process {}", process.id())),
            "{error}"
        );
    }
    process.join();
}
