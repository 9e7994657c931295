//! Where a server's output goes.

use std::process::Command;

use port_for::Error;

use crate::children::script;
use crate::support::{PATIENCE, TempStore};

const SCRIPT: &str = "echo to stdout; echo to stderr >&2; exit 1";

fn shell() -> Command {
    script(SCRIPT, "echo to stdout& echo to stderr>&2& exit 1")
}

/// The error of a shell that prints to both streams and ends.
fn told_of(command: &mut Command) -> String {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let mut server = guard.spawn(command).unwrap();
    let error: Error = server.wait_ready(PATIENCE).unwrap_err();
    error.to_string()
}

#[test]
fn what_the_command_says_nothing_of_is_kept() {
    let told = told_of(&mut shell());
    assert!(told.contains("\n  to stdout\n  to stderr"), "{told}");
}

/// Where it can be told before a child runs what the command says of its streams.
#[cfg(unix)]
mod on_unix {
    use std::fs::{self, File};
    use std::process::{Command, Stdio};

    use rstest::rstest;

    use super::{shell, told_of};
    use crate::support::child::test_name;
    use crate::support::{PATIENCE, TempStore, command, eventually, told};

    #[test]
    fn what_the_command_sends_to_a_file_goes_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let told = told_of(shell().stdout(File::create(&path).unwrap()));
        assert_eq!(fs::read_to_string(path).unwrap(), "to stdout\n");
        assert!(
            told.contains("\n  to stderr") && !told.contains("  to stdout"),
            "{told}"
        );
    }

    #[test]
    fn what_the_command_throws_away_is_gone() {
        let told = told_of(shell().stdout(Stdio::null()).stderr(Stdio::null()));
        assert!(!told.contains("its last lines"), "{told}");
    }

    #[test]
    fn what_the_command_sends_to_a_pipe_is_kept_and_stops_no_server() {
        let mut command = Command::new("/bin/sh");
        // More than a pipe has room for.
        let script = "i=0; while [ $i -lt 20000 ]; do echo 'a line of output'; i=$((i+1)); done; echo end; exit 1";
        command.args(["-c", script]).stdout(Stdio::piped());
        let store = TempStore::new();
        let mut guard = store.guard(&store.api).unwrap();
        let mut server = guard.spawn(&mut command).unwrap();
        server.wait_ready(PATIENCE).unwrap_err();
        // The last of it may still be on the way.
        eventually("the last line", || {
            let error = server.wait_ready(PATIENCE).unwrap_err();
            error.to_string().ends_with("\n  end")
        });
    }

    /// Runs a shell whose streams are said to be inherited, or of which nothing is said.
    #[test]
    #[ignore = "a test process for another test"]
    fn inheriting() {
        let Some((_, how)) = told() else { return };
        let mut command = shell();
        if how == "inherit" {
            command.stdout(Stdio::inherit()).stderr(Stdio::inherit());
        }
        let told = told_of(&mut command);
        assert!(told.contains("its last lines"), "{told}");
    }

    #[rstest]
    #[case("inherit")]
    #[case("nothing")]
    fn what_would_go_to_the_tests_own_output_is_captured(#[case] how: &str) {
        let store = TempStore::new();
        let output = command(test_name!(inheriting), store.path(), how)
            .output()
            .unwrap();
        let shown = [output.stdout, output.stderr].concat();
        let shown = String::from_utf8(shown).unwrap();
        assert!(output.status.success(), "{shown}");
        for line in ["to stdout\n", "to stderr\n"] {
            assert!(!shown.contains(line), "{shown}");
        }
    }

    #[test]
    fn a_server_does_not_read_the_tests_stdin() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "read -r line; echo \"read: $? [$line]\"; exit 1"]);
        let told = told_of(&mut command);
        assert!(told.contains("read: 1 []"), "{told}");
    }
}

/// Where it cannot.
#[cfg(windows)]
#[test]
fn what_the_command_says_of_its_output_does_not_count() {
    use std::process::Stdio;
    for stdio in [Stdio::null, Stdio::piped, Stdio::inherit] {
        let told = told_of(shell().stdout(stdio()).stderr(stdio()));
        assert!(told.contains("\n  to stdout\n  to stderr"), "{told}");
    }
}
