//! Whether the holder of an id listens.

#[cfg(target_os = "linux")]
use std::ffi::OsStr;
use std::net::{Ipv4Addr, SocketAddr};

use crate::error::Error;
use crate::port_for::PortFor;
use crate::socket;
use crate::who::{self, Holder, Occupant, Occupants, Protocol};

/// What an id's port is doing.
#[derive(Debug)]
pub enum Doing {
    /// The id has no port.
    Unassigned,
    /// The port has no holder; and what has it all the same.
    Unheld(u16, Option<String>),
    /// It has a holder, of whose processes none listens.
    Silent(u16, Holder),
    /// The holder or a descendant of it listens.
    Listening(u16, Holder),
}

/// What the id's port is doing at this moment.
pub fn doing(port_for: &PortFor, id: &str) -> Result<Doing, Error> {
    let context = port_for.context();
    let key = context.key(id)?;
    let store = &context.store;
    let Some(port) = store.snapshot()?.port_of(&key) else {
        return Ok(Doing::Unassigned);
    };
    let holder = match store.access()? {
        Some(access) => store.leases().holder(port, access)?,
        None => None,
    };
    Ok(match holder {
        None => {
            // What only lingers keeps no server away. An error tells nothing about the port.
            let is_in_use = !socket::can_be_bound(port).unwrap_or(true);
            let occupants = || Occupants::of(Protocol::Tcp, port).to_string();
            Doing::Unheld(port, is_in_use.then(occupants))
        }
        Some(holder) if listens(holder.pid(), port) => Doing::Listening(port, holder),
        Some(holder) => Doing::Silent(port, holder),
    })
}

fn listens(holder: Option<u32>, port: u16) -> bool {
    let accepts = || who::accepts(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    // Costs little, and is no as a rule.
    if !accepts() {
        return false;
    }
    let occupants = Occupants::of(Protocol::Tcp, port).into_vec();
    let mut pids = occupants.iter().map(Occupant::pid);
    match holder {
        Some(holder) if !occupants.is_empty() => {
            pids.any(|pid| is_below(pid, holder) && !is_this_command(pid))
        }
        // It is not told which process listens, or what listened has just been vacated.
        _ => accepts(),
    }
}

/// Whether the process runs this command: it holds the port for a program that does not run yet.
#[cfg(target_os = "linux")]
fn is_this_command(pid: u32) -> bool {
    let name =
        |pid| crate::proc::program(pid).and_then(|path| path.file_name().map(OsStr::to_owned));
    name(pid).is_some_and(|its| name(std::process::id()) == Some(its))
}

#[cfg(not(target_os = "linux"))]
fn is_this_command(_pid: u32) -> bool {
    false
}

/// Whether it is that process, or a descendant of it.
#[cfg(unix)]
fn is_below(pid: u32, root: u32) -> bool {
    let table = who::processes();
    let parent = |pid: &u32| {
        let process = table.iter().find(|process| process.pid == *pid)?;
        Some(process.parent)
    };
    std::iter::successors(Some(pid), parent).any(|pid| pid == root)
}

#[cfg(not(unix))]
fn is_below(_pid: u32, _root: u32) -> bool {
    true
}
