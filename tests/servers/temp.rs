//! Temporary folders that cannot be used: the folder is named, and not the server blamed.

use std::path::Path;
use std::process::Command;

use port_for::{ErrorKind, PortFor, Ready, ServerCommand};
use rstest::rstest;

use crate::children::ids;
use crate::support::child::{in_shell, test_name};
use crate::support::privileges::can_unshare;
use crate::support::{ChildTest, TempStore, command, report, told};

/// In a process with this temporary folder, which a script can have made.
#[track_caller]
fn start_in(temp: &Path, prepared: impl FnOnce(Command) -> Command) -> String {
    let store = TempStore::new();
    let mut process = command(test_name!(starts_a_server), store.path(), "");
    process.env("TMPDIR", temp);
    let mut process = ChildTest::run(&mut prepared(process));
    process.line()
}

#[rstest]
#[case::missing("/nonexistent")]
#[case::no_folder("/dev/null")]
fn a_folder_that_cannot_be_used_is_named(#[case] temp: &str) {
    let said = start_in(Path::new(temp), |process| process);
    assert!(said.starts_with("NotStarted"), "{said}");
    for part in ["in the temporary folder", temp, "TMPDIR"] {
        assert!(said.contains(part), "{said:?} lacks {part:?}");
    }
    assert!(!said.contains("installed"), "{said}");
}

/// In a file system of its own, which only root makes.
#[rstest]
#[case::read_only("mount -o remount,ro \"$TMPDIR\"", "Read-only")]
#[case::full("cat /dev/zero > \"$TMPDIR/all\" 2>/dev/null", "no space")]
fn a_folder_without_room_is_said_to_be_so(#[case] script: &str, #[case] said: &str) {
    if !can_unshare("--mount") {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let script = format!(
        "exec unshare --mount sh -c 'mount -t tmpfs -o size=64k none \"$TMPDIR\"; {script}; exec \"$@\"' sh \"$@\""
    );
    let told = start_in(temp.path(), |process| in_shell(&script, &process));
    let folder = temp.path().display().to_string();
    for part in [said, &folder] {
        assert!(
            told.to_lowercase().contains(&part.to_lowercase()),
            "{told:?} lacks {part:?}"
        );
    }
}

#[test]
#[ignore = "a test process for other tests"]
fn starts_a_server() {
    let Some((path, _)) = told() else { return };
    let store = PortFor::open(&path).unwrap();
    let [id] = ids(&store, ["temp"]);
    let mut guard = store.guard(&id).unwrap();
    // It says more than there is room for, and ends because of it.
    let command = ServerCommand::new("sh")
        .args(["-c", "head -c 1000000 /dev/zero && echo said || exit 3"])
        .ready(Ready::line("never"));
    let error = guard.start(&command).unwrap_err();
    let text = error.to_string().replace(['\n', '\0'], " ");
    report(format_args!("{:?} {text}", error.kind()));
    // The port is held again, whatever has gone wrong.
    assert!(std::net::TcpStream::connect(guard.addr()).is_ok());
    assert_ne!(error.kind(), ErrorKind::NotReady);
}
