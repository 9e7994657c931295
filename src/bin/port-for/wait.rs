//! `--wait` and `--gone`: for scripts, which then need no loops.

use std::thread;
use std::time::{Duration, Instant};

use port_for::__cli::{self as cli, Doing};
use port_for::PortFor;

use crate::Failure;

/// Short enough for a script, and long enough to cost little.
const PAUSE: Duration = Duration::from_millis(10);

/// Returns when the holder of the name listens. It fails at once when there is no holder, unless a timeout gives one time to
/// come.
pub(crate) fn until_it_listens(
    port_for: &PortFor,
    name: &str,
    timeout: Option<Duration>,
) -> Result<(), Failure> {
    let deadline = Deadline::new(timeout);
    let mut was_held = false;
    loop {
        let (reason, advice) = match cli::doing(port_for, name)? {
            Doing::Listening(..) => return Ok(()),
            Doing::Silent(port, holder) => {
                was_held = true;
                if deadline.pause() {
                    continue;
                }
                (
                    format!("port {port} is held by {holder}, and nothing of it listens yet"),
                    "see what it printed, or wait longer with `--timeout`".to_owned(),
                )
            }
            Doing::Unheld(port, _) if was_held => (
                format!("what held port {port} has ended"),
                "see what it printed".to_owned(),
            ),
            not_held => {
                if timeout.is_some() && deadline.pause() {
                    continue;
                }
                let reason = match not_held {
                    Doing::Unheld(port, Some(by)) => {
                        format!("no process holds port {port}, and {by}")
                    }
                    Doing::Unheld(port, None) => format!("no process holds port {port}"),
                    _ => "it has no port".to_owned(),
                };
                let advice = format!(
                    "start it with `port-for {name} -- CMD`, or give it time to come with `--timeout 10s`"
                );
                (reason, advice)
            }
        };
        return Err(Failure::Could(format!(
            "`{name}` does not listen: {reason}; {advice}"
        )));
    }
}

/// Returns when nothing holds the name and no socket has its port.
pub(crate) fn until_it_is_gone(
    port_for: &PortFor,
    name: &str,
    timeout: Option<Duration>,
) -> Result<(), Failure> {
    let deadline = Deadline::new(timeout);
    loop {
        let reason = match cli::doing(port_for, name)? {
            Doing::Unassigned | Doing::Unheld(_, None) => return Ok(()),
            Doing::Unheld(_, Some(occupied)) => occupied,
            Doing::Silent(_, holder) | Doing::Listening(_, holder) => format!("held by {holder}"),
        };
        if !deadline.pause() {
            return Err(Failure::Could(format!(
                "`{name}` is not free: {reason}; end it, or wait longer with `--timeout`"
            )));
        }
    }
}

struct Deadline(Instant);

impl Deadline {
    fn new(timeout: Option<Duration>) -> Self {
        // A minute, as for ports that are held.
        Self(Instant::now() + timeout.unwrap_or(Duration::from_secs(60)))
    }

    /// Sleeps for a moment; false when the time is up.
    fn pause(&self) -> bool {
        let is_over = Instant::now() >= self.0;
        if !is_over {
            thread::sleep(PAUSE);
        }
        !is_over
    }
}
