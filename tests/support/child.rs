//! This program, run again as a child: an ignored test in a process of its own.

#![allow(
    clippy::disallowed_methods,
    reason = "a child is given its values by environment"
)]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The name of a test of this module, as the harness knows it: `acquire::busy::child_holds`.
macro_rules! test_name {
    ($test:ident) => {{
        const NAME: &str = {
            // A test that is renamed or moved does not compile here.
            const _: fn() = $test;
            let path = concat!(module_path!(), "::", stringify!($test));
            // Without the name of the crate.
            let mut at = 0;
            while path.as_bytes()[at] != b':' {
                at += 1;
            }
            path.split_at(at + 2).1
        };
        NAME
    }};
}
pub(crate) use test_name;

/// What a child is given, beside its name: the store, and a value of the test's own.
const STORE: &str = "TEST_STORE";
const VALUE: &str = "TEST_VALUE";

/// In a child: the store and the value that [`command`] gave. None where an ignored test is run by hand.
pub fn told() -> Option<(PathBuf, String)> {
    Some((std::env::var_os(STORE)?.into(), std::env::var(VALUE).ok()?))
}

/// In a child: one line to the parent.
pub fn report(line: impl std::fmt::Display) {
    // By hand, because the test harness keeps back what `println!` prints.
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "\n@{line}").unwrap();
    stdout.flush().unwrap();
}

/// In a child: waits for a word from the parent; returns when the parent has closed the pipe, too.
pub fn wait_for_parent() {
    std::io::stdin()
        .lock()
        .read_line(&mut String::new())
        .unwrap();
}

/// The command that runs the ignored test `name` of this program.
pub fn command(name: &str, store: &Path, value: &str) -> Command {
    let mut command = this_program();
    command
        .args([
            "--ignored",
            "--exact",
            name,
            "--nocapture",
            "--test-threads=1",
        ])
        .env(STORE, store)
        .env(VALUE, value);
    // A test of its own, not the one that nextest runs.
    for variable in ["NEXTEST_TEST_NAME", "NEXTEST_BINARY_ID", "NEXTEST_ATTEMPT"] {
        command.env_remove(variable);
    }
    command
}

/// The command that runs this program, without a word to it yet.
pub fn this_program() -> Command {
    Command::new(std::env::current_exe().unwrap())
}

/// Runs an ignored test that fails, and returns what it prints to stderr.
#[track_caller]
pub fn failure_of(name: &str) -> String {
    let output = command(name, Path::new("-"), "").output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains("1 failed"), "{stdout}");
    String::from_utf8(output.stderr).unwrap()
}

/// A shell with a script, in which `"$@"` is the command.
#[cfg(unix)]
pub fn in_shell(script: &str, command: &Command) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", script, "sh"])
        .arg(command.get_program())
        .args(command.get_args());
    give_environment(command, &mut shell);
    shell
}

/// What a command changes of the environment, `other` changes as well.
pub fn give_environment(command: &Command, other: &mut Command) {
    for (variable, value) in command.get_envs() {
        match value {
            Some(value) => other.env(variable, value),
            None => other.env_remove(variable),
        };
    }
}

/// A child that talks to this process. Killed when dropped.
#[derive(Debug)]
pub struct ChildTest {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl ChildTest {
    /// An ignored test of this program.
    pub fn start(name: &str, store: &Path, value: &str) -> Self {
        Self::run(&mut command(name, store, value))
    }

    pub fn run(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            stdin: child.stdin.take(),
            stdout: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn stderr(&mut self) -> BufReader<std::process::ChildStderr> {
        BufReader::new(self.child.stderr.take().expect("stderr is piped"))
    }

    /// The next line that the child reports.
    #[track_caller]
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            assert_ne!(
                self.stdout.read_line(&mut line).unwrap(),
                0,
                "the child ended"
            );
            if let Some(reported) = line.trim_end().strip_prefix('@') {
                return reported.to_owned();
            }
        }
    }

    /// Lets a child that waits for its parent go on.
    pub fn go_on(&mut self) {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        writeln!(stdin).unwrap();
    }

    /// Waits until the child has ended well.
    #[track_caller]
    pub fn join(mut self) {
        drop(self.stdin.take());
        std::io::copy(&mut self.stdout, &mut std::io::sink()).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "the child failed: {status}");
    }

    /// Waits until the child has ended, however.
    pub fn ended(mut self) {
        drop(self.stdin.take());
        self.child.wait().unwrap();
    }

    /// Kills the child as the out-of-memory killer would, and waits until it is gone.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for ChildTest {
    fn drop(&mut self) {
        // Both fail when it has ended already, as it should have.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
