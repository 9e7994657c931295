//! Who sits on a port without a lease.

use std::fmt;
use std::process;

use crate::holder::printable;

/// The processes that listen on a port, as far as the system tells.
#[derive(Debug, Clone)]
pub(crate) struct Occupants(Vec<Occupant>);

#[derive(Debug, Clone)]
struct Occupant {
    pid: u32,
    command: String,
    user: Option<u32>,
}

impl Occupants {
    /// Looks for the processes that listen on the TCP port, at any address.
    ///
    /// Empty when nobody listens, or when this user may not look into the process that does.
    pub(crate) fn of(port: u16) -> Self {
        // An error is what an unknown system or a locked-down `/proc` gives: not known, and said so.
        let listeners = listeners::get_all().unwrap_or_default();
        let mut occupants: Vec<_> = listeners
            .into_iter()
            .filter(|found| {
                found.socket.port() == port
                    && found.protocol == listeners::Protocol::TCP
                    && found.state == listeners::SocketState::Listen
            })
            .map(|found| Occupant {
                pid: found.process.pid,
                command: command_line(found.process.pid).unwrap_or(found.process.name),
                user: owner(found.process.pid),
            })
            .collect();
        occupants.sort_by_key(|occupant| occupant.pid);
        occupants.dedup_by_key(|occupant| occupant.pid);
        Self(occupants)
    }
}

/// `process 4242 (`redis-server *:6379`, user 1000)`, or that it is not known: to stand behind "listens there: ".
impl fmt::Display for Occupants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("a process that the system does not name (another user's, or one that has just let go)");
        }
        for (nth, occupant) in self.0.iter().enumerate() {
            if nth > 0 {
                f.write_str(" and ")?;
            }
            let Occupant { pid, command, user } = occupant;
            write!(f, "process {pid} (`{}`", printable(command))?;
            if let Some(user) = user {
                write!(f, ", user {user}")?;
            }
            f.write_str(")")?;
            if *pid == process::id() {
                f.write_str(", which is this very process, perhaps with a listener taken from an earlier guard")?;
            }
        }
        Ok(())
    }
}

#[cfg(target_os = "linux")]
fn command_line(pid: u32) -> Option<String> {
    let words = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let words = String::from_utf8_lossy(&words);
    let line = words.trim_end_matches('\0').replace('\0', " ");
    // A kernel thread, or a process that is just ending, has none.
    (!line.is_empty()).then(|| line.chars().take(300).collect())
}

#[cfg(not(target_os = "linux"))]
fn command_line(_pid: u32) -> Option<String> {
    None
}

#[cfg(target_os = "linux")]
fn owner(pid: u32) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    let found = std::fs::metadata(format!("/proc/{pid}")).ok()?;
    Some(found.uid())
}

#[cfg(not(target_os = "linux"))]
fn owner(_pid: u32) -> Option<u32> {
    None
}
