//! Users, keepers and servers that are killed.

use port_for::{PortFor, SharedServer};

use crate::life::uses;
use crate::server::{ask, keeper, kill, lives, recipe, request, start, starts};
use crate::support::child::{self, test_name};
use crate::support::{ChildTest, TempStore, eventually, told};

#[test]
fn a_killed_user_uses_it_no_more() {
    let store = TempStore::new();
    let name = test_name!(uses).replace("killed", "life");
    let mut user = ChildTest::start(&name, store.path(), "");
    let pid = user.line().parse().unwrap();
    user.kill();
    eventually("the end of the server", || !lives(pid));
    assert_eq!(starts(store.path()).len(), 1);
}

/// It starts the next one, after the first has ended.
#[track_caller]
fn the_next_user_starts_another(store: &TempStore, first: &SharedServer) {
    let second = start(store);
    assert_ne!(second.id(), first.id());
    assert!(!lives(first.id()));
    assert!(!first.is_running() && second.is_running());
    assert_eq!(ask(second.addr()).unwrap(), second.id());
    let pids = [first.id().to_string(), second.id().to_string()];
    assert_eq!(starts(store.path()), pids);
}

#[test]
fn a_killed_keeper_takes_its_server_along() {
    let store = TempStore::new();
    let first = start(&store);
    kill(keeper(&store));
    eventually("that it has ended", || !first.is_running());
    eventually("the end of the server", || !lives(first.id()));
    the_next_user_starts_another(&store, &first);
}

/// In which it runs, unless its recipe says otherwise.
#[cfg(target_os = "linux")]
#[test]
fn a_killed_keeper_leaves_no_private_folder_behind() {
    let store = TempStore::new();
    let server = start(&store);
    let folder = std::fs::read_link(format!("/proc/{}/cwd", server.id())).unwrap();
    assert!(
        folder.is_dir() && folder.starts_with(std::env::temp_dir()),
        "{folder:?}"
    );
    kill(keeper(&store));
    eventually("the end of its folder", || !folder.exists());
}

#[test]
fn a_killed_keeper_and_a_user_that_comes_at_once() {
    let store = TempStore::new();
    let first = start(&store);
    kill(keeper(&store));
    // A process that was killed lives on for an instant.
    eventually("another server", || start(&store).id() != first.id());
    the_next_user_starts_another(&store, &first);
}

#[test]
fn a_killed_server_is_seen_by_its_users() {
    let store = TempStore::new();
    let first = start(&store);
    kill(first.id());
    eventually("that it has ended", || !first.is_running());
    the_next_user_starts_another(&store, &first);
}

#[test]
#[ignore = "a test process for another test"]
fn panics() {
    let Some((path, _)) = told() else { return };
    let store = PortFor::open(&path).unwrap();
    let server = request(&store).start_shared(&recipe(&path)).unwrap();
    eventually("its first line", || {
        server.output().unwrap().contains("serves at")
    });
    kill(server.id());
    eventually("that it has ended", || !server.is_running());
    panic!("as asked for");
}

#[test]
fn a_panic_shows_how_the_server_ended_and_what_it_said_last() {
    let store = TempStore::new();
    let mut command = child::command(test_name!(panics), store.path(), "");
    let output = command.output().unwrap();
    let shown = String::from_utf8_lossy(&output.stderr);
    let ended = "ended by itself (signal: 9 (SIGKILL))\nits last lines:";
    assert!(shown.contains(ended), "{shown}");
    assert!(shown.contains("the shared server of `shared "), "{shown}");
    assert_eq!(shown.matches("serves at").count(), 1, "{shown}");
}

/// As a test runner kills a test that takes too long.
#[test]
fn what_kills_a_tests_process_group_does_not_reach_the_keeper() {
    use std::os::unix::process::CommandExt;
    let store = TempStore::new();
    // It outlives the first user for long enough.
    let long = request(&store).linger(std::time::Duration::from_secs(300));
    let name = test_name!(uses).replace("killed", "life");
    let mut user = child::command(&name, store.path(), "");
    let mut user = ChildTest::run(user.process_group(0));
    let pid: u32 = user.line().parse().unwrap();
    drop(long.start_shared(&recipe(store.path())).unwrap());
    let group = rustix::process::Pid::from_raw(user.id().cast_signed()).unwrap();
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap();
    user.ended();
    assert_eq!(start(&store).id(), pid);
    kill(keeper(&store));
}

/// The keeper is no child that the user's program waits for: the program ends, and its output with it.
#[test]
fn a_program_that_has_started_it_ends_without_it() {
    let store = TempStore::new();
    let name = test_name!(uses).replace("killed", "life");
    // `output` waits for the end of all that has the streams.
    let output = child::command(&name, store.path(), "").output().unwrap();
    assert!(output.status.success());
    let [pid] = &starts(store.path())[..] else {
        panic!("one start")
    };
    let pid: u32 = pid.parse().unwrap();
    eventually("the end of the server", || !lives(pid));
}

/// Its program may be built anew meanwhile.
#[test]
fn a_keeper_needs_its_programs_file_no_more() {
    let store = TempStore::new();
    let copy = store.folder().join("program");
    std::fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    let name = test_name!(uses).replace("killed", "life");
    let told = child::command(&name, store.path(), "");
    let mut command = std::process::Command::new(&copy);
    command.args(told.get_args());
    child::give_environment(&told, &mut command);
    // A program that is being written cannot be run; a fork of a sibling may still have the copy open.
    let mut user = loop {
        let error = match command.spawn() {
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => continue,
            Err(error) => error,
            Ok(mut child) => {
                child.kill().unwrap();
                child.wait().unwrap();
                break ChildTest::run(&mut command);
            }
        };
        panic!("{error}");
    };
    let pid: u32 = user.line().parse().unwrap();
    std::fs::remove_file(&copy).unwrap();
    assert!(lives(pid));
    user.join();
    eventually("the end of the server", || !lives(pid));
}
