//! `port-for NAME -- CMD`: the process becomes a command that has the port.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;

use port_for::{ErrorKind, OnBusy};
use rstest::rstest;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::eventually;
use crate::{Running, Store, has, stderr, stdout};

impl Running {
    /// The next line that it prints; it has started to run when it prints one.
    #[track_caller]
    fn line(&mut self) -> String {
        let out = self.0.stdout.as_mut().unwrap();
        let mut line = String::new();
        // What the buffer reads too much is lost: these commands print one line.
        BufReader::new(out).read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }
}

/// Says that it runs, and ends when its input does, or is told to.
const WAITS: &str = "echo $$; read line; exit 7";

#[test]
fn the_process_id_is_the_commands_and_a_signal_ends_it() {
    let store = Store::new();
    let mut running = store.start(&["program/signal", "--", "sh", "-c", WAITS]);
    assert_eq!(running.line(), running.0.id().to_string());
    running.signal(Signal::TERM);
    assert_eq!(
        running.0.wait().unwrap().signal(),
        Some(Signal::TERM.as_raw())
    );
}

#[test]
fn a_signal_can_be_handled_by_the_command() {
    let store = Store::new();
    let script = "trap 'exit 9' TERM; echo up; while :; do read line; done";
    let mut running = store.start(&["program/trap", "--", "sh", "-c", script]);
    assert_eq!(running.line(), "up");
    running.signal(Signal::TERM);
    assert_eq!(running.0.wait().unwrap().code(), Some(9));
}

#[rstest]
#[case("program/lease", &[])]
#[case("program/lease/inherit", &["--inherit"])]
fn the_lease_lasts_as_long_as_the_command(#[case] id: &str, #[case] inherit: &[&str]) {
    let store = Store::new();
    let args = [&[id], inherit, &["--", "sh", "-c", WAITS]].concat();
    let mut running = store.start(&args);
    running.line();
    let ports = store.library();
    let ask = || ports.request(id).on_busy(OnBusy::Fail).guard();
    let error = ask().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
    has(
        &error.to_string(),
        &[&running.0.id().to_string(), "-- sh -c"],
    );

    running.signal(Signal::KILL);
    running.0.wait().unwrap();
    ask().unwrap().close().unwrap();
}

#[test]
fn several_ports_are_all_held() {
    let store = Store::new();
    let mut running = store.start(&["program/a", "program/b", "--", "sh", "-c", WAITS]);
    running.line();
    for found in store.library().assignments().unwrap() {
        assert_eq!(found.holder().unwrap().pid(), Some(running.0.id()));
    }
}

#[test]
fn words_and_variables_tell_the_ports() {
    let store = Store::new();
    let (api, db) = (
        store.port(&["program/api"]),
        store.port(&["program/the-db"]),
    );
    let script = "echo $PORT $PORT_PROGRAM_API $PORT_PROGRAM_THE_DB; echo $*";
    let done = store.run(&[
        "program/api",
        "program/the-db",
        "--",
        "sh",
        "-c",
        script,
        "sh",
        "{port}",
        "--url=http://{addr}/",
        "{port:program/the-db}",
        "{addr:program/the-db}",
        "{}",
        "{{ports}}",
    ]);
    let url = format!("--url=http://127.0.0.1:{api}/");
    done.success().stdout(format!(
        "{api} {api} {db}\n{api} {url} {db} 127.0.0.1:{db} {{}} {{{{ports}}}}\n"
    ));
}

#[test]
fn no_variable_of_our_own_is_overwritten() {
    let store = Store::new();
    store
        .run(&[
            "for/store",
            "for/timeout",
            "--",
            "sh",
            "-c",
            "echo $PORT_FOR_STORE $PORT_FOR_TIMEOUT",
        ])
        .success()
        .stdout(format!("{}\n", store.path().display()));
}

#[test]
fn an_exact_port_can_be_run_with() {
    let store = Store::new();
    let port = store
        .library()
        .available_port(24_200)
        .unwrap()
        .port()
        .to_string();
    let args = [
        "-b",
        "program/exact",
        "-p",
        &port,
        "--",
        "sh",
        "-c",
        "echo $PORT",
    ];
    store.run(&args).success().stdout(format!("{port}\n"));
}

#[test]
fn a_command_that_is_not_there_is_named() {
    let store = Store::new();
    let done = store
        .run(&["program/none", "--", "no-such-command"])
        .code(127)
        .stdout("");
    has(&stderr(&done), &["`no-such-command`"]);
    let ports = store.library();
    let guard = ports.request("program/none").on_busy(OnBusy::Fail).guard();
    guard.unwrap().close().unwrap();
}

#[test]
fn a_held_port_is_waited_for_and_its_holder_named() {
    let store = Store::new();
    let _guard = store.library().guard("program/busy").unwrap();
    let mut command = store.with(&["program/busy", "--", "true"]);
    let done = command
        .env("PORT_FOR_TIMEOUT", "0.1")
        .assert()
        .code(1)
        .stdout("");
    has(
        &stderr(&done),
        &[
            "program/busy",
            &std::process::id().to_string(),
            "PORT_FOR_TIMEOUT",
        ],
    );
}

#[test]
fn a_variable_of_a_shell_is_no_placeholder() {
    let store = Store::new();
    let port = store.port(&["program/shell"]);
    let script = "port=5; echo ${port} ${port:-6} {port}";
    let done = store.run(&["program/shell", "--", "sh", "-c", script]);
    done.success().stdout(format!("5 5 {port}\n"));
}

#[test]
fn a_child_that_outlives_the_command_is_hinted_at() {
    let store = Store::new();
    let script = "exec 3<&0; cat <&3 & echo $$";
    let mut command = store.start(&["program/child", "--", "sh", "-c", script]);
    let pid = command.line();
    // The shell ends; what it has started reads what never comes.
    eventually("the end of the shell", || {
        command.0.try_wait().unwrap().is_some()
    });
    let listed = store.run(&["--who", &store.port(&["program/child"]).to_string()]);
    has(
        &stdout(&listed.success()),
        &[&pid, "has ended and left it to a child"],
    );
}

/// Where `/proc` tells which files a process has open, and a socket that was shut down stays bound.
#[cfg(target_os = "linux")]
mod descriptors {
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::time::Duration;

    use socket2::{Domain, Socket, Type};

    use super::*;

    const SHOW: &str = "echo $LISTEN_FDS $LISTEN_FDNAMES $LISTEN_PID $$; readlink /proc/self/fd/3; \
        readlink /proc/self/fd/4";

    #[test]
    fn until_the_command_binds_its_port_it_is_reserved() {
        let store = Store::new();
        let port = store.port(&["program/reserved"]);
        let addr = SocketAddr::from(([127, 0, 0, 1], port));
        let mut running = store.start(&["program/reserved", "--", "sh", "-c", WAITS]);
        running.line();
        // No program gets the port by accident, and no client is served.
        let accident = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        assert!(accident.bind(&addr.into()).is_err());
        assert!(TcpStream::connect_timeout(&addr, Duration::from_secs(5)).is_err());
        // Who sets SO_REUSEADDR, as the standard library does, can have it.
        let server = TcpListener::bind(addr).unwrap();
        TcpStream::connect(addr).unwrap();
        server.accept().unwrap();
    }

    #[test]
    fn are_announced_as_systemd_does_it() {
        let store = Store::new();
        let args = [
            "program/fd:x",
            "program/ü",
            "--inherit",
            "--",
            "sh",
            "-c",
            SHOW,
        ];
        let text = stdout(&store.run(&args).success().stderr(""));
        let [announced, third, fourth] = &text.lines().collect::<Vec<_>>()[..] else {
            panic!("{text}")
        };
        let [count, names, told, own] = &announced.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{text}")
        };
        assert_eq!(
            (*count, *names, told),
            ("2", "program/fd%3Ax:program/ü", own)
        );
        assert!(third.starts_with("socket:") && fourth.starts_with("socket:") && third != fourth);
    }

    #[test]
    fn of_a_command_around_this_one_are_handed_on() {
        let store = Store::new();
        let command = store.command();
        let itself = command.get_program().to_str().unwrap();
        for (inherit, announced) in [
            (&[][..], "1 program/outer"),
            (&["--inherit"], "2 program/inner:program/outer"),
        ] {
            let outer = ["program/outer", "--inherit", "--", itself, "program/inner"];
            let args = [&outer[..], inherit, &["--", "sh", "-c", SHOW]].concat();
            // It fails for want of a second socket where there is one.
            let text = stdout(&store.run(&args).stderr(""));
            assert!(text.starts_with(&format!("{announced} ")), "{text}");
            let sockets = text.lines().filter(|line| line.starts_with("socket:"));
            assert_eq!(sockets.count(), inherit.len() + 1, "{text}");
        }
    }

    #[test]
    fn are_the_named_ports_in_their_order() {
        let store = Store::new();
        let (b, a) = (store.port(&["program/fd/b"]), store.port(&["program/fd/a"]));
        let args = [
            "program/fd/b",
            "program/fd/a",
            "--inherit",
            "--",
            "sh",
            "-c",
            WAITS,
        ];
        let mut running = store.start(&args);
        running.line();
        let inode = |fd: u8| {
            let link = format!("/proc/{}/fd/{fd}", running.0.id());
            let link = std::fs::read_link(link)
                .unwrap()
                .to_string_lossy()
                .into_owned();
            link.trim_start_matches("socket:[")
                .trim_end_matches(']')
                .to_owned()
        };
        let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
        for (fd, port) in [(3, b), (4, a)] {
            let addr = format!(" 0100007F:{port:04X} 00000000:0000 0A ");
            let line = sockets
                .lines()
                .find(|line| line.contains(&addr))
                .expect("it listens");
            assert!(line.split_whitespace().any(|word| word == inode(fd)));
        }
        // Connections wait for the command to accept them.
        TcpStream::connect(("127.0.0.1", b)).unwrap();
    }

    #[test]
    fn of_the_caller_give_way_only_to_inherited_sockets() {
        let store = Store::new();
        let shell = |script: &str| {
            let mut command = store.command();
            let program = command.get_program().to_owned();
            let mut shell = std::process::Command::new("sh");
            shell
                .args(["-c", script])
                .arg(program)
                .env("PORT_FOR_STORE", store.path());
            let done = shell.output().unwrap();
            assert!(done.stderr.is_empty() && done.status.success(), "{done:?}");
            command.env_clear();
            String::from_utf8(done.stdout).unwrap()
        };
        let told = shell("echo hello | \"$0\" program/pass -- sh -c 'cat <&3' 3<&0 </dev/null");
        assert_eq!(told, "hello\n");
        let told = shell("\"$0\" program/take --inherit -- readlink /proc/self/fd/3 3</dev/null");
        assert!(told.starts_with("socket:"), "{told}");
    }
}

#[test]
fn input_and_output_are_the_commands() {
    let store = Store::new();
    let mut running = store.start(&["program/io", "--", "cat"]);
    running
        .0
        .stdin
        .as_mut()
        .unwrap()
        .write_all(b"hello\n")
        .unwrap();
    assert_eq!(running.line(), "hello");
}
