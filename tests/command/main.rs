//! The command, driven as a process, with a store of its own in every test.

mod bad_input;
mod groups;
mod import;
mod list;
mod names;
#[cfg(target_os = "linux")]
#[path = "../support/network.rs"]
mod network;
mod occupied;
mod program;
mod scripts;
mod servers;
#[cfg(unix)]
mod shared;
mod status;
mod supervise;
#[path = "../support/mod.rs"]
mod support;
mod until;
mod upkeep;
mod waiting;

use std::process::{self, Child, Stdio};
use std::time::Duration;

use assert_cmd::assert::Assert;
use port_for::PortFor;

use support::TempStore;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A store, and the command on it.
struct Store(TempStore);

impl std::ops::Deref for Store {
    type Target = TempStore;

    fn deref(&self) -> &TempStore {
        &self.0
    }
}

impl Store {
    fn new() -> Self {
        Self(TempStore::new())
    }

    /// The same store from this process.
    fn library(&self) -> PortFor {
        self.reopened()
    }

    /// The ids and ports in it.
    #[track_caller]
    fn assignments(&self) -> Vec<(String, u16)> {
        let all = self.library().assignments().unwrap();
        all.iter()
            .map(|found| (found.id().to_owned(), found.port()))
            .collect()
    }

    fn command(&self) -> process::Command {
        let mut command = process::Command::new(env!("CARGO_BIN_EXE_port-for"));
        command.env("PORT_FOR_STORE", self.path());
        for variable in [
            "PORT_FOR_NAMESPACE",
            "PORT_FOR_TIMEOUT",
            "PORT_FOR_POOL",
            "COLUMNS",
        ] {
            command.env_remove(variable);
        }
        command
    }

    /// The command, ready to be told more about before it runs.
    fn with(&self, args: &[&str]) -> assert_cmd::Command {
        let mut command = self.command();
        command.args(args);
        let mut command = assert_cmd::Command::from_std(command);
        command.timeout(Duration::from_secs(60));
        command
    }

    #[track_caller]
    fn run(&self, args: &[&str]) -> Assert {
        self.with(args).assert()
    }

    /// What the command prints, which is one number.
    #[track_caller]
    fn port(&self, args: &[&str]) -> u16 {
        let text = stdout(&self.run(args).success().stderr(""));
        let number = text.strip_suffix('\n').expect("one line");
        number.parse().expect("a number, and nothing else")
    }

    /// The command in the background.
    #[track_caller]
    fn start(&self, args: &[&str]) -> Running {
        let child = self
            .command()
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Running(child)
    }
}

/// A process that does not outlive its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended, as it should.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[track_caller]
fn stdout(done: &Assert) -> String {
    String::from_utf8(done.get_output().stdout.clone()).unwrap()
}

#[track_caller]
fn stderr(done: &Assert) -> String {
    String::from_utf8(done.get_output().stderr.clone()).unwrap()
}

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{text:?} lacks {part:?}");
    }
}
