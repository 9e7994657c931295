//! Surroundings that are not as they should be.

use std::fs;

use port_for::{ErrorKind, PortFor};

use crate::server::{LINGER, ask, id, keeper, lives, place, recipe, request, start, starts};
use crate::support::child::{self, test_name};
use crate::support::privileges::is_root;
use crate::support::{TempStore, eventually, report, told};

#[test]
fn a_state_that_is_garbage_is_made_anew() {
    let store = TempStore::new();
    let first = start(&store);
    for garbage in ["", "garbage", "[]", r#"{"version":2}"#] {
        fs::write(place(&store).join("state.json"), garbage).unwrap();
        let next = start(&store);
        assert_eq!(next.id(), first.id(), "{garbage}");
    }
    // While nothing runs, too.
    let (pid, keeper) = (first.id(), keeper(&store));
    drop(first);
    eventually("the end of the keeper", || !lives(keeper));
    fs::write(place(&store).join("state.json"), "garbage").unwrap();
    assert_ne!(start(&store).id(), pid);
}

#[test]
fn a_planted_state_is_not_trusted() {
    let store = TempStore::new();
    drop(start(&store));
    let state = place(&store).join("state.json");
    let keeper = keeper(&store);
    eventually("the end of the keeper", || !lives(keeper));
    std::os::unix::fs::symlink("/dev/null", &state).unwrap();
    let error = request(&store)
        .start_shared(&recipe(store.path()))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(error.to_string().contains("symbolic link"), "{error}");
}

/// Root alone can make a file another user's.
#[test]
fn a_state_of_another_user_is_not_trusted() {
    if !is_root() {
        return;
    }
    let store = TempStore::new();
    drop(start(&store));
    let keeper = keeper(&store);
    eventually("the end of the keeper", || !lives(keeper));
    let state = place(&store).join("state.json");
    fs::write(&state, "{}").unwrap();
    std::os::unix::fs::chown(&state, Some(54_321), None).unwrap();
    let error = request(&store)
        .start_shared(&recipe(store.path()))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store, "{error}");
    assert!(
        error.to_string().contains("belongs to user 54321"),
        "{error}"
    );
    assert_eq!(starts(store.path()).len(), 1);
}

#[test]
fn a_log_that_is_a_link_is_not_followed() {
    let store = TempStore::new();
    drop(start(&store));
    let keeper = keeper(&store);
    eventually("the end of the keeper", || !lives(keeper));
    let target = store.folder().join("target");
    fs::write(&target, "precious").unwrap();
    std::os::unix::fs::symlink(&target, place(&store).join("log")).unwrap();
    drop(start(&store));
    assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
}

#[test]
fn without_the_stores_folder_keeper_and_server_end() {
    let store = TempStore::new();
    let server = start(&store);
    let (pid, keeper) = (server.id(), keeper(&store));
    fs::remove_dir_all(store.folder()).unwrap();
    eventually("the end of the server", || !lives(pid));
    eventually("the end of the keeper", || !lives(keeper));
    assert!(!server.is_running());
}

/// The program cannot be run again.
#[test]
fn a_keeper_that_cannot_be_started_leaves_nothing() {
    let store = TempStore::new();
    let copy = store.folder().join("program");
    fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    let told = child::command(
        test_name!(cannot_start),
        store.path(),
        copy.to_str().unwrap(),
    );
    // By a shell, so that no fork of a sibling has the copy open for writing.
    let mut command = std::process::Command::new("/bin/sh");
    command
        .args(["-c", "cp \"$0\" \"$0.copy\" && exec \"$0.copy\" \"$@\""])
        .arg(&copy)
        .args(told.get_args());
    child::give_environment(&told, &mut command);
    let output = command.output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{shown}");
    assert!(shown.contains("@NotStarted"), "{shown}");
    assert!(shown.contains("its keeper cannot be started"), "{shown}");
    assert!(starts(store.path()).is_empty());
    // The next one can.
    assert!(start(&store).is_running());
}

#[test]
#[ignore = "a test process for another test"]
fn cannot_start() {
    let Some((path, copy)) = told() else { return };
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(format!("{copy}.copy"), mode).unwrap();
    let store = PortFor::open(&path).unwrap();
    let error = request(&store).start_shared(&recipe(&path)).unwrap_err();
    report(format!("{:?} {error}", error.kind()));
}

/// As with a full disk: what the process writes to files fails.
#[test]
fn what_cannot_be_written_is_an_error_and_starts_nothing() {
    let store = TempStore::new();
    // So that the first file that cannot be written is one of the shared server's.
    store.request(&id(&store)).assign().unwrap();
    let told = child::command(test_name!(cannot_write), store.path(), "");
    let script = "trap '' XFSZ; ulimit -f 0; exec \"$@\"";
    let output = crate::support::in_shell(script, &told).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{shown}");
    assert!(shown.contains("@Store cannot write"), "{shown}");
    assert!(starts(store.path()).is_empty());
    // There is room again.
    assert!(start(&store).is_running());
}

#[test]
#[ignore = "a test process for another test"]
fn cannot_write() {
    let Some((path, _)) = told() else { return };
    let store = PortFor::open(&path).unwrap();
    let error = request(&store).start_shared(&recipe(&path)).unwrap_err();
    report(format!("{:?} {error}", error.kind()));
}

#[test]
fn a_stranger_on_its_port_is_waited_for_and_named() {
    let store = TempStore::new();
    let port = store.request(&id(&store)).assign().unwrap();
    let stranger = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let soon = request(&store).timeout(LINGER);
    let error = soon.start_shared(&recipe(store.path())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Occupied);
    assert!(error.to_string().contains("listens on"), "{error}");
    drop(stranger);
    let server = start(&store);
    assert_eq!(ask(server.addr()).unwrap(), server.id());
}

#[test]
fn another_exact_port_than_that_of_the_running_one_is_a_conflict() {
    let store = TempStore::new();
    let server = start(&store);
    let other = request(&store).exact_port(server.port() ^ 1);
    let error = other.start_shared(&recipe(store.path())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
}
