//! Commands and guards that are not as they should be, and what their users are told.

use std::net::{TcpListener, TcpStream};
use std::process::{self, Command};
use std::time::Duration;

use port_for::{Error, ErrorKind, PortGuard};

use crate::children::{LISTENS, deaf, exit_status, greeting, script, server};
use crate::support::{ChildTest, PATIENCE, TempStore, wine};

/// Long enough for a child to have begun what it does instead of listening.
const SHORT: Duration = Duration::from_secs(3);

#[track_caller]
fn check(error: &Error, kind: ErrorKind, says: &[&str]) {
    let message = error.to_string();
    assert_eq!(error.kind(), kind, "{message}");
    for part in says {
        assert!(message.contains(part), "{message:?} lacks {part:?}");
    }
}

/// Its socket listens: a client gets in, and the listener can be had.
#[track_caller]
fn assert_holds(guard: &mut PortGuard) {
    TcpStream::connect(guard.addr()).unwrap();
    guard.take_listener().unwrap();
}

#[test]
fn a_command_that_does_not_exist_leaves_the_port_held() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let error = guard
        .spawn(&mut Command::new("no-such-server"))
        .unwrap_err();
    let port = guard.port().to_string();
    check(
        &error,
        ErrorKind::NotStarted,
        &["`no-such-server`", &store.api, &port, "PATH"],
    );
    assert_holds(&mut guard);
}

#[test]
fn a_command_that_exits_at_once_is_told_with_its_status_and_leaves_the_port_held() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let mut command = script("echo 'bad flag' >&2; exit 3", "echo bad flag>&2& exit 3");
    let mut server = guard.spawn(&mut command).unwrap();
    let error = server.wait_ready(PATIENCE).unwrap_err();
    let pid = server.id().to_string();
    check(
        &error,
        ErrorKind::Exited,
        &[
            &format!("`{} ", command.get_program().display()),
            &pid,
            &exit_status(3),
            "bad flag",
        ],
    );
    assert_holds(&mut guard);
}

#[cfg(unix)]
#[test]
fn a_killed_server_is_told_with_its_signal() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let mut command = Command::new("/bin/sh");
    let mut server = guard.spawn(command.args(["-c", "kill -9 $$"])).unwrap();
    let error = server.wait_until(PATIENCE, |_| false).unwrap_err();
    check(&error, ErrorKind::Exited, &["signal: 9"]);
}

#[test]
fn a_child_that_listens_elsewhere_is_told_where() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let mut server = guard
        .spawn(&mut server(&store, "hello_elsewhere", guard.addr()))
        .unwrap();
    let error = server.wait_ready(SHORT).unwrap_err();
    let addr = guard.addr().to_string();
    check(&error, ErrorKind::NotReady, &[&addr, "it listens on "]);
    if wine::tells_whose_a_socket_is() {
        check(&error, ErrorKind::NotReady, &["it listens on 127.0.0.1:"]);
    }
}

#[test]
fn a_child_that_does_not_reuse_addresses_is_told_with_the_way_out() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let mut command = server(&store, "hello_without_reuse", guard.addr());
    if cfg!(target_os = "linux") {
        let mut server = guard.spawn(&mut command).unwrap();
        let error = server.wait_ready(PATIENCE).unwrap_err();
        check(
            &error,
            ErrorKind::Exited,
            &[
                "stubborn: cannot have",
                "exit status: 98",
                "SO_REUSEADDR",
                "close_hold",
            ],
        );
    }
    // And the way out is one.
    guard.close_hold().unwrap();
    let mut server = guard.spawn(&mut command).unwrap();
    server.wait_ready(PATIENCE).unwrap();
    assert_eq!(greeting(guard.addr()), "hello");
}

/// What a guard can be asked for, by name.
type Call = fn(&mut PortGuard) -> Result<(), Error>;

const CALLS: [(&str, Call); 7] = [
    ("take_listener", |guard| guard.take_listener().map(drop)),
    ("take_udp_socket", |guard| guard.take_udp_socket().map(drop)),
    ("vacate", |guard| guard.vacate().map(drop)),
    ("close_hold", |guard| guard.close_hold().map(drop)),
    ("rearm", PortGuard::rearm),
    ("spawn", |guard| {
        guard.spawn(&mut Command::new("true")).map(drop)
    }),
    ("spawn_activated", |guard| {
        guard.spawn_activated(&mut Command::new("true")).map(drop)
    }),
];

#[track_caller]
fn refuses(guard: &mut PortGuard, calls: &[&str], state: &str) {
    for (name, call) in CALLS.iter().filter(|(name, _)| calls.contains(name)) {
        // Whatever the guard's state is, it is the system that cannot.
        let state = match *name {
            "spawn_activated" if cfg!(not(unix)) => "does not support it",
            _ => state,
        };
        let error = call(guard).expect_err(name);
        if *name == "spawn_activated" && cfg!(not(unix)) {
            check(&error, ErrorKind::Unsupported, &[state]);
            continue;
        }
        check(
            &error,
            ErrorKind::Handoff,
            &[state, guard.id().unwrap(), &guard.port().to_string()],
        );
    }
}

#[test]
fn a_guard_whose_listener_was_taken_says_so() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let _listener = guard.take_listener().unwrap();
    let calls = [
        "take_listener",
        "vacate",
        "close_hold",
        "rearm",
        "spawn",
        "spawn_activated",
    ];
    refuses(&mut guard, &calls, "its listener was already taken");
    if cfg!(unix) {
        refuses(&mut guard, &["spawn_activated"], "close that listener");
    }
    refuses(&mut guard, &["take_udp_socket"], "holds no UDP port");
}

#[cfg(unix)]
#[test]
fn a_guard_whose_listener_was_given_to_a_child_says_so() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let deaf = guard.spawn_activated(&mut deaf()).unwrap();
    let calls = [
        "take_listener",
        "vacate",
        "close_hold",
        "rearm",
        "spawn",
        "spawn_activated",
    ];
    refuses(&mut guard, &calls, "given to a child process");
    drop(deaf);
    guard.rearm().unwrap();
}

#[test]
fn a_guard_that_has_vacated_says_so() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let mut hello = guard
        .spawn(&mut server(&store, "hello", guard.addr()))
        .unwrap();
    hello.wait_ready(PATIENCE).unwrap();
    let calls = ["take_listener", "rearm", "spawn_activated"];
    refuses(&mut guard, &calls, "has vacated the port");
    // Whose server it is, too.
    if wine::tells_whose_a_socket_is() {
        refuses(&mut guard, &["rearm"], &format!("process {}", hello.id()));
    }
}

#[test]
fn a_guard_that_has_closed_its_hold_says_so() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    guard.close_hold().unwrap();
    refuses(
        &mut guard,
        &["take_listener", "spawn_activated"],
        "has closed its hold",
    );
    guard.vacate().unwrap();
    guard.rearm().unwrap();
    assert_holds(&mut guard);
}

#[test]
fn of_two_servers_on_a_port_the_one_that_ended_takes_nothing_from_the_other() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let mut first = script("echo mine; exit 3", "echo mine& exit 3");
    let mut first = guard.spawn(&mut first).unwrap();
    // One that is not up yet.
    let _second = guard.spawn(&mut deaf()).unwrap();
    let error = first.wait_ready(PATIENCE).unwrap_err();
    check(&error, ErrorKind::Exited, &[&exit_status(3)]);
    TcpStream::connect(guard.addr()).unwrap_err();
    // What a failed `unwrap` shows: the kind is no part of what the server has said.
    let shown = format!("{error:?}");
    assert!(
        shown.contains(" [Exited]\nits last lines:\n  mine"),
        "{shown}"
    );
}

/// The process is told, and where the system tells that, what it runs.
#[track_caller]
fn check_names(error: &Error, kind: ErrorKind, stranger: &ChildTest) {
    check(error, kind, &[&format!("process {}", stranger.id())]);
    if cfg!(target_os = "linux") {
        check(error, kind, &["listen_until_told"]);
    }
}

/// A stranger that listens on the port while the guard thinks that its server does.
fn stranger(store: &TempStore, guard: &mut PortGuard) -> ChildTest {
    let addr = guard.vacate().unwrap().to_string();
    let mut stranger = ChildTest::start(LISTENS, store.path(), &addr);
    assert_eq!(stranger.line(), "listening");
    stranger
}

#[test]
fn a_stranger_on_the_port_is_named_when_the_server_lives_on() {
    if !wine::tells_whose_a_socket_is() {
        return;
    }
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let stranger = stranger(&store, &mut guard);
    let mut deaf = guard.spawn(&mut deaf()).unwrap();
    let error = deaf.wait_ready(PATIENCE).unwrap_err();
    check_names(&error, ErrorKind::WrongServer, &stranger);
    // Nor is its answer taken for the server's.
    let error = deaf.wait_until(PATIENCE, |_| true).unwrap_err();
    check_names(&error, ErrorKind::WrongServer, &stranger);
}

#[test]
fn a_stranger_on_the_port_is_named_when_the_server_gives_up() {
    if !wine::tells_whose_a_socket_is() {
        return;
    }
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let stranger = stranger(&store, &mut guard);
    let mut hello = guard
        .spawn(&mut server(&store, "hello", guard.addr()))
        .unwrap();
    // Whether its end or the stranger is seen first.
    let error = hello.wait_ready(PATIENCE).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Exited | ErrorKind::WrongServer),
        "{error:?}"
    );
    check_names(&error, error.kind(), &stranger);
}

#[test]
fn a_stranger_in_this_very_process_is_no_server_either() {
    if !wine::tells_whose_a_socket_is() {
        return;
    }
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let _listener = TcpListener::bind(guard.vacate().unwrap()).unwrap();
    let mut deaf = guard.spawn(&mut deaf()).unwrap();
    let error = deaf.wait_ready(PATIENCE).unwrap_err();
    check(
        &error,
        ErrorKind::WrongServer,
        &[&format!("process {}", process::id())],
    );
}

#[test]
fn a_stranger_who_came_before_the_guard_is_named() {
    let store = TempStore::new();
    let guard = store.guard(&store.api).unwrap();
    let addr = guard.addr().to_string();
    drop(guard);
    let mut stranger = ChildTest::start(LISTENS, store.path(), &addr);
    assert_eq!(stranger.line(), "listening");
    let error = store
        .request(&store.api)
        .timeout(Duration::ZERO)
        .guard()
        .unwrap_err();
    check(&error, ErrorKind::Occupied, &[]);
    if wine::tells_whose_a_socket_is() {
        check_names(&error, ErrorKind::Occupied, &stranger);
    }
    if cfg!(target_os = "linux") {
        check(&error, ErrorKind::Occupied, &["user "]);
    }
}

/// It was put into a static, say.
#[cfg(unix)]
#[test]
fn a_server_that_outlives_its_guard_is_told_to_who_waits_for_the_port() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let server = guard
        .spawn(&mut script("exec sleep 1000", "ping -n 1000 127.0.0.1"))
        .unwrap();
    let ask = || {
        store
            .request(&store.api)
            .timeout(Duration::ZERO)
            .guard()
            .unwrap_err()
    };
    let error = ask();
    assert!(
        !error.to_string().contains("whose guard is gone"),
        "{error}"
    );
    drop(guard);
    let its = format!("(process {}), whose guard is gone", server.id());
    let says = ["for its server `", &its, "stop that server, or drop it"];
    check(&ask(), ErrorKind::Busy, &says);
    check(
        &store.release(&store.api).unwrap_err(),
        ErrorKind::Busy,
        &says[..2],
    );
    drop(server);
    drop(store.guard(&store.api).unwrap());
}
