//! Who holds a lock: what a holder writes down, and what others read.

use std::fmt;
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use once_cell::sync::Lazy;
use serde_json::Value;

use crate::config;
use crate::error::Seconds;
use crate::files;

/// A process that holds a port, as it described itself when it took it.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let ports = port_for::PortFor::open(folder.path().join("ports.json"))?;
/// let guard = ports.guard("api")?;
/// let listed = ports.assignments()?;
/// assert_eq!(listed[0].holder().unwrap().pid(), std::process::id());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pid: u32,
    test: Option<String>,
    command: String,
    since: SystemTime,
}

/// Names of threads that are not named after a test: the last two are tokio's for all of its own.
const NO_TESTS: [&str; 3] = ["main", "tokio-rt-worker", "tokio-runtime-worker"];

impl Holder {
    /// Its process id, as it is seen where it runs (in a container, that container's). 0 when its record cannot be read.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The test that it runs: under nextest its binary, name and attempt, as in `my-crate::it login::works (attempt 2)`,
    /// and elsewhere the name of the thread that took the port, which the test harness names after its test. None if
    /// that thread has no name of its own.
    #[must_use]
    pub fn test(&self) -> Option<&str> {
        self.test.as_deref()
    }

    /// Its command line, cut to 300 characters. Empty when its record cannot be read.
    #[must_use]
    pub fn command(&self) -> &str {
        &self.command
    }

    /// When it took the port.
    #[must_use]
    pub fn since(&self) -> SystemTime {
        self.since
    }

    /// The record that this thread of process `pid` writes into a lock it has taken.
    pub(crate) fn note_of_this_thread(pid: u32) -> Vec<u8> {
        // Written for every guard, so what stays the same is put into JSON once.
        static COMMAND: Lazy<String> = Lazy::new(|| {
            let words: Vec<_> = std::env::args_os()
                .map(|word| word.to_string_lossy().into_owned())
                .collect();
            json(&words.join(" ").chars().take(300).collect::<String>())
        });
        static NEXTEST: Lazy<Option<String>> =
            Lazy::new(|| config::nextest_test().as_deref().map(json));
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .ok()
            .and_then(|since| u64::try_from(since.as_millis()).ok())
            .unwrap_or_default();
        let mut note = String::with_capacity(COMMAND.len() + 256);
        note.push_str(r#"{"pid":"#);
        note.push_str(&pid.to_string());
        note.push_str(r#","since_ms":"#);
        note.push_str(&since.to_string());
        note.push_str(r#","test":"#);
        if let Some(test) = &*NEXTEST {
            note.push_str(test);
        } else {
            let thread = thread::current();
            match thread.name().filter(|name| !NO_TESTS.contains(name)) {
                Some(test) => note.push_str(&json(test)),
                None => note.push_str("null"),
            }
        }
        note.push_str(r#","command":"#);
        note.push_str(&COMMAND);
        note.push('}');
        note.into_bytes()
    }

    /// Who wrote the record beside the lock. The lock is known to be held; that its record cannot be read, or was not
    /// written yet, does not change that.
    pub(crate) fn read(lock: &Path) -> Self {
        let record = files::read_note(lock)
            .ok()
            .and_then(|note| serde_json::from_slice::<Value>(&note).ok())
            .unwrap_or(Value::Null);
        Self {
            pid: record["pid"]
                .as_u64()
                .and_then(|pid| u32::try_from(pid).ok())
                .unwrap_or(0),
            test: record["test"].as_str().map(str::to_owned),
            command: record["command"].as_str().unwrap_or_default().to_owned(),
            since: record["since_ms"]
                .as_u64()
                .and_then(|since| UNIX_EPOCH.checked_add(Duration::from_millis(since)))
                .unwrap_or(UNIX_EPOCH),
        }
    }
}

/// Whether there is no such process, as far as can be seen from here.
#[cfg(unix)]
fn is_out_of_sight(pid: u32) -> bool {
    use rustix::io::Errno;
    use rustix::process::{Pid, test_kill_process};
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_none_or(|pid| test_kill_process(pid) == Err(Errno::SRCH))
}

/// There, no child keeps what its parent has locked, and no process is hidden.
#[cfg(not(unix))]
fn is_out_of_sight(_pid: u32) -> bool {
    false
}

fn json(text: &str) -> String {
    serde_json::to_string(text).expect("a string can be put into JSON")
}

/// As in: process 4242 (`target/debug/deps/api`), test `login::works`, which took it 12 s ago.
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pid == 0 {
            return f.write_str("a process that left no record");
        }
        let Self { pid, command, .. } = self;
        if *pid == std::process::id() {
            write!(f, "this very process, {pid}")?;
        } else {
            write!(f, "process {pid} (`{}`)", printable(command))?;
            if is_out_of_sight(*pid) {
                f.write_str(
                    ", which has ended and left it to a child, or runs out of sight, in a container",
                )?;
            }
        }
        if let Some(test) = &self.test {
            write!(f, ", test `{}`", printable(test))?;
        }
        // A clock that was set back makes it "0 s ago", which is no worse than any other guess.
        let ago = self.since.elapsed().unwrap_or_default();
        write!(f, ", which took it {} ago", Seconds(ago))
    }
}

/// The text without what would move a terminal's cursor.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
