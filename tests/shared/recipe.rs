//! One recipe at a time.

use port_for::{ErrorKind, Ready, ServerCommand};

use crate::server::{id, lives, recipe, request, start, starts};
use crate::support::TempStore;

#[test]
fn another_recipe_replaces_a_server_that_nothing_uses() {
    let store = TempStore::new();
    // It would live on for long.
    let long = request(&store).linger(std::time::Duration::from_secs(300));
    let first = long.start_shared(&recipe(store.path())).unwrap();
    let pid = first.id();
    drop(first);
    let other = recipe(store.path()).env("OTHER", "1");
    let second = request(&store).start_shared(&other).unwrap();
    assert_ne!(second.id(), pid);
    assert!(!lives(pid));
    assert_eq!(starts(store.path()).len(), 2);
}

#[test]
fn another_recipe_is_refused_while_one_is_used() {
    let store = TempStore::new();
    let first = start(&store);
    let other = recipe(store.path()).arg("--other");
    let error = request(&store).start_shared(&other).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(error.id(), Some(&*id(&store)));
    let message = error.to_string();
    for part in [
        "`args` is",
        "\"--other\"",
        "this very process",
        "another_recipe_is_refused",
    ] {
        assert!(message.contains(part), "{message}");
    }
    assert!(first.is_running());
}

#[test]
fn a_program_that_was_rebuilt_is_another_recipe() {
    let store = TempStore::new();
    let script = store.folder().join("server.sh");
    let write = |text: &str| {
        std::fs::write(&script, text).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&script, mode).unwrap();
    };
    let ready = Ready::command("true", [""; 0]);
    let recipe = ServerCommand::new(&script).ready(ready);
    write("#!/bin/sh\nexec sleep 1000\n");
    let first = request(&store).start_shared(&recipe).unwrap();
    write("#!/bin/sh\nexec sleep 10000\n");
    let error = request(&store).start_shared(&recipe).unwrap_err();
    assert!(
        error.to_string().contains("program's file has changed"),
        "{error}"
    );
    drop(first);
    let second = request(&store).start_shared(&recipe).unwrap();
    assert!(second.is_running());
}

#[test]
fn how_it_is_stopped_may_differ() {
    let store = TempStore::new();
    let first = start(&store);
    let patient = recipe(store.path()).grace(std::time::Duration::from_secs(60));
    let second = request(&store).start_shared(&patient).unwrap();
    assert_eq!(first.id(), second.id());
}
