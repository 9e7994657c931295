//! The mark of a server, in its environment: whose it is.
//!
//! A server ends with its process, whatever comes, so that an orphan takes an accident: its guardian was killed as well. The
//! next run may end what carries the mark of a process that is gone, and nothing else.

use crate::who::{Occupant, Protocol};

/// Set for servers that are started by recipe.
pub(super) const OWNER: &str = "PORT_FOR_OWNER";

/// The mark of this process; none where the system does not tell what it takes.
#[cfg(target_os = "linux")]
pub(super) fn of_this_process() -> Option<String> {
    /// With the process that asked first: one that was forked from it has a mark of its own.
    static FIRST: std::sync::OnceLock<(u32, Option<String>)> = std::sync::OnceLock::new();
    let us = std::process::id();
    let (first, mark) = FIRST.get_or_init(|| (us, of(us)));
    if *first == us { mark.clone() } else { of(us) }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn of_this_process() -> Option<String> {
    None
}

/// Its number, when it began, and among which processes the number counts: a container has others.
#[cfg(target_os = "linux")]
fn of(pid: u32) -> Option<String> {
    let (began, among) = (crate::proc::began(pid)?, crate::proc::pid_namespace()?);
    Some(format!("{pid} {began} {among}"))
}

/// Ends the processes that have the port and carry the mark of a process that is gone, with all others of the same mark.
/// Tells which had the port.
#[cfg(target_os = "linux")]
pub(crate) fn reap(protocol: Protocol, port: u16) -> Vec<Occupant> {
    use std::collections::HashSet;

    use crate::who::Occupants;

    let mut occupants = Occupants::of(protocol, port).into_vec();
    let mark = |pid| crate::proc::variable(pid, OWNER).filter(|mark| is_of_the_past(mark));
    let marks: HashSet<_> = (occupants.iter())
        .filter_map(|occupant| mark(occupant.pid()))
        .collect();
    if marks.is_empty() {
        return Vec::new();
    }
    occupants.retain(|occupant| mark(occupant.pid()).is_some());
    for pid in crate::proc::pids() {
        if mark(pid).is_some_and(|mark| marks.contains(&mark)) {
            end(pid, &marks);
        }
    }
    occupants
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn reap(_protocol: Protocol, _port: u16) -> Vec<Occupant> {
    Vec::new()
}

/// Whether the process whose mark it is has lived where this one does, and lives no more.
#[cfg(target_os = "linux")]
fn is_of_the_past(mark: &str) -> bool {
    let mut fields = mark.splitn(3, ' ');
    let (Some(pid), Some(_), Some(among)) = (fields.next(), fields.next(), fields.next()) else {
        return false;
    };
    let is_here = crate::proc::pid_namespace().as_deref() == Some(among);
    is_here
        && pid
            .parse()
            .is_ok_and(|pid| of(pid).as_deref() != Some(mark))
}

/// Kills the process if it still is one with such a mark once it is held by a handle: its number may be another's by now.
#[cfg(target_os = "linux")]
fn end(pid: u32, marks: &std::collections::HashSet<String>) {
    use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
    let Some(number) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return;
    };
    let Ok(process) = pidfd_open(number, PidfdFlags::empty()) else {
        return;
    };
    if crate::proc::variable(pid, OWNER).is_some_and(|mark| marks.contains(&mark)) {
        // What may not be ended stays, and is waited for.
        let _ = pidfd_send_signal(process, Signal::KILL);
    }
}
