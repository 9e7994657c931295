//! Servers that bind by themselves.

use crate::children::{greeting, script, server};
use crate::support::{PATIENCE, TempStore};

#[test]
fn a_spawned_server_listens_where_its_guard_says() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let mut hello = guard
        .spawn(&mut server(&store, "hello", guard.addr()))
        .unwrap();
    assert_eq!(hello.addr(), guard.addr());
    hello.wait_ready(PATIENCE).unwrap();
    assert_eq!(greeting(guard.addr()), "hello");
}

#[test]
fn a_listener_of_a_descendant_is_the_servers() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let command = &mut server(&store, "hello_by_a_child", guard.addr());
    let mut hello = guard.spawn(command).unwrap();
    hello.wait_ready(PATIENCE).unwrap();
    assert_eq!(greeting(guard.addr()), "hello");
    // With its parent.
    drop(hello);
    guard.rearm().unwrap();
}

#[test]
fn a_server_that_has_ended_by_itself_tells_how_when_stopped() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let mut seven = guard.spawn(&mut script("exit 7", "exit 7")).unwrap();
    seven.wait_ready(PATIENCE).unwrap_err();
    assert_eq!(seven.stop().unwrap().status().code(), Some(7));
}

#[test]
fn a_command_can_be_spawned_again() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let mut command = server(&store, "hello", guard.addr());
    for _ in 0..3 {
        let mut hello = guard.spawn(&mut command).unwrap();
        hello.wait_ready(PATIENCE).unwrap();
        assert_eq!(greeting(guard.addr()), "hello");
        hello.stop().unwrap();
    }
}

#[test]
fn the_same_port_restarts_ten_times() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let addr = guard.addr();
    for _ in 0..10 {
        let mut hello = guard.spawn(&mut server(&store, "hello", addr)).unwrap();
        hello.wait_ready(PATIENCE).unwrap();
        assert_eq!(greeting(addr), "hello");
        hello.stop().unwrap();
        guard.rearm().unwrap();
        assert_eq!(guard.addr(), addr);
    }
}

#[test]
fn a_server_outlives_the_thread_that_spawned_it() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let addr = guard.addr();
    let (mut hello, _guard) = std::thread::scope(|scope| {
        let spawning = scope.spawn(|| {
            let hello = guard.spawn(&mut server(&store, "hello", addr)).unwrap();
            (hello, guard)
        });
        spawning.join().unwrap()
    });
    hello.wait_ready(PATIENCE).unwrap();
    assert_eq!(greeting(addr), "hello");
}

/// Where processes have signals and groups, and streams can be told apart before they are given to a child.
#[cfg(unix)]
mod on_unix {
    use std::net::TcpStream;
    use std::os::unix::process::{CommandExt, ExitStatusExt};
    use std::process::{Command, Stdio};

    use crate::children::{deaf, server};
    use crate::support::{PATIENCE, TempStore, in_shell};

    #[test]
    fn a_server_that_leaves_its_group_is_ended_as_well() {
        let store = TempStore::new();
        let mut guard = store.guard(&store.api).unwrap();
        let inner = server(&store, "hello", guard.addr());
        let mut outer = in_shell(r#"setsid "$@" & wait"#, &inner);
        let mut hello = guard.spawn(&mut outer).unwrap();
        hello.wait_ready(PATIENCE).unwrap();
        drop(hello);
        guard.rearm().unwrap();
    }

    #[test]
    fn stop_asks_first() {
        let store = TempStore::new();
        let mut guard = store.guard(&store.api).unwrap();
        let mut hello = guard
            .spawn(&mut server(&store, "hello", guard.addr()))
            .unwrap();
        hello.wait_ready(PATIENCE).unwrap();
        let status = hello.stop().unwrap().status();
        assert_eq!(status.signal(), Some(libc::SIGTERM));
        // The guard's socket keeps the port, and refuses.
        TcpStream::connect(guard.addr()).unwrap_err();
    }

    #[test]
    fn a_server_that_will_not_be_asked_is_killed_when_dropped() {
        let store = TempStore::new();
        let mut guard = store.guard(&store.api).unwrap();
        let mut deaf = guard.spawn(&mut deaf()).unwrap();
        // It ignores what it is asked from here on: it has said so.
        deaf.wait_ready(std::time::Duration::from_millis(1))
            .unwrap_err();
        let pid = deaf.id();
        drop(deaf);
        assert!(!crate::exit::is_alive(pid));
    }

    #[test]
    fn a_command_is_the_users_after_it_was_spawned() {
        let store = TempStore::new();
        let mut guard = store.guard(&store.api).unwrap();
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "echo out; ps -o pgid= -p $$"]);
        drop(guard.spawn(&mut shell).unwrap());
        // Nothing of the spawn sticks to it: streams and group are the command's own again.
        let output = shell
            .stdout(Stdio::piped())
            .process_group(0)
            .output()
            .unwrap();
        assert!(
            String::from_utf8(output.stdout)
                .unwrap()
                .starts_with("out\n")
        );
    }
}

/// Where there is no way to ask.
#[cfg(windows)]
#[test]
fn stop_kills() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let command = &mut server(&store, "hello_by_a_child", guard.addr());
    let mut hello = guard.spawn(command).unwrap();
    hello.wait_ready(PATIENCE).unwrap();
    assert_eq!(hello.stop().unwrap().status().code(), Some(1));
    std::net::TcpStream::connect(guard.addr()).unwrap_err();
}
