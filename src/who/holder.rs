//! Who holds a lock.

use std::fmt;
use std::time::SystemTime;

use crate::text::{Seconds, printable};

/// A process that holds a port, as it described itself when it acquired the port.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let ports = port_for::PortFor::open(folder.path().join("ports.json"))?;
/// let guard = ports.guard("api")?;
/// let listed = ports.assignments()?;
/// assert_eq!(listed[0].holder().unwrap().pid(), Some(std::process::id()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Holder {
    pub(crate) pid: Option<u32>,
    pub(crate) test: Option<String>,
    /// What the store called the id when it was taken.
    pub(crate) key: Option<String>,
    /// What is in its own way.
    pub(crate) waits_for: Option<String>,
    pub(crate) command: String,
    pub(crate) since: Option<SystemTime>,
}

impl Holder {
    /// Its process id, as it is seen where it runs (in a container, that container's). None when its record cannot be read.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
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

    /// When it took the port. None when its record cannot be read.
    #[must_use]
    pub fn since(&self) -> Option<SystemTime> {
        self.since
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

/// As in: process 4242 (`target/debug/deps/api`), test `login::works`, which took it 12 s ago.
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(pid) = self.pid else {
            return f.write_str("a process that left no record");
        };
        if pid == std::process::id() {
            write!(f, "this very process, {pid}")?;
        } else {
            write!(f, "process {pid} (`{}`)", printable(&self.command))?;
            if is_out_of_sight(pid) {
                f.write_str(
                    ", which has ended and left it to a child, or runs out of sight, in a container",
                )?;
            }
        }
        if let Some(test) = &self.test {
            write!(f, ", test `{}`", printable(test))?;
        }
        if let Some(since) = self.since {
            // A clock that was set back makes it "0 s ago", which is no worse than any other guess.
            let ago = since.elapsed().unwrap_or_default();
            write!(f, ", which took it {} ago", Seconds(ago))?;
        }
        if let Some(obstacle) = &self.waits_for {
            write!(f, ", and is waiting itself: {}", printable(obstacle))?;
        }
        Ok(())
    }
}
