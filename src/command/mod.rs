//! What only the command line tool needs. Not for people.
#![allow(
    clippy::missing_errors_doc,
    reason = "hidden: the command is its only caller"
)]

use std::path::Path;

use crate::acquire;
use crate::ask::{Ask, Preference};
use crate::config;
use crate::error::Error;
use crate::guard::{Host, PortGuard};
use crate::port_for::PortFor;
use crate::server::{Ready, ServerCommand};
pub use crate::shared::Seen;
use crate::shared::{self, SharedServer};
use crate::store::Assignment;
use crate::text;
use crate::who::{Holder, Occupant, Occupants, Protocol};

#[cfg(windows)]
mod console;
mod import;
mod program;
mod python_config;
mod ready;
mod waiting;
mod words;

pub use crate::server::{Follower, Values, fill};
pub use import::{ImportError, Imported};
#[cfg(unix)]
pub use program::keep_use;
pub use program::{become_program, hand_over};
pub use python_config::{Entry, Fault, parse as parse_python_config};
pub use ready::{all_of, looks_for_a_line, parse_ready, parse_signal, signals};
pub use waiting::{Doing, doing};
pub use words::split;

/// What is wanted beside the names.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// The port that the first name is to have.
    pub exact: Option<u16>,
    /// Where to hold the ports.
    pub host: Option<Host>,
    /// Whether the UDP ports are wanted as well.
    pub udp: bool,
    /// How many consecutive ports the first name is to have.
    pub block: Option<u16>,
    /// How far above each of them companions are.
    pub companions: Vec<u16>,
}

/// The numbers of each id's ports, in ascending order, assigned in one write.
pub fn numbers(
    port_for: &PortFor,
    ids: &[String],
    wanted: &Wanted,
) -> Result<Vec<Vec<u16>>, Error> {
    let asks = asks(ids, wanted);
    let firsts = acquire::numbers(port_for.context(), &asks)?;
    let all = asks.iter().zip(firsts);
    let ports = all.map(|(ask, first)| {
        let offsets = ask.group.offsets().into_iter();
        offsets.map(|offset| first + offset).collect()
    });
    Ok(ports.collect())
}

/// Guards for the ids, all or none; the first id has one for each port of its block.
pub fn guards(
    port_for: &PortFor,
    ids: &[String],
    wanted: &Wanted,
) -> Result<Vec<PortGuard>, Error> {
    acquire::guards(port_for.context(), &asks(ids, wanted))
}

fn asks(ids: &[String], wanted: &Wanted) -> Vec<Ask> {
    let mut asks: Vec<_> = ids.iter().cloned().map(Ask::new).collect();
    for ask in &mut asks {
        ask.host = wanted.host.unwrap_or(ask.host);
        ask.udp = wanted.udp;
    }
    if let Some(first) = asks.first_mut() {
        if let Some(port) = wanted.exact {
            first.preference = Preference::Exact(port);
        }
        first.group.block = wanted.block.unwrap_or(1);
        first.group.companions.clone_from(&wanted.companions);
    }
    asks
}

/// Forgets the ids of checkouts whose folders are not there any more.
pub fn prune_gone(port_for: &PortFor) -> Result<Vec<Assignment>, Error> {
    acquire::prune_gone(port_for.context())
}

/// Whether a program of this name is in one of the folders of the `PATH`.
#[must_use]
pub fn is_on_path(name: &str) -> bool {
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let path = config::search_path().unwrap_or_default();
    config::find_in(&path, Path::new(&file)).is_some()
}

/// Takes over the assignments of Python's `port-for`.
pub fn import(port_for: &PortFor, path: &Path) -> Result<Imported, ImportError> {
    import::import(port_for.context(), path)
}

/// The shared server of the id, with the words of its command; at exactly that port, if there is one.
pub fn start_shared(
    port_for: &PortFor,
    id: &str,
    exact: Option<u16>,
    words: &[String],
    ready: &[Ready],
) -> Result<SharedServer, Error> {
    let mut command = ServerCommand::new(&words[0]).args(&words[1..]);
    if !ready.is_empty() {
        command = command.ready(all_of(ready));
    }
    let request = port_for.request(id);
    let request = match exact {
        Some(port) => request.exact_port(port),
        None => request,
    };
    request.start_shared(&command)
}

/// The shared servers that run, with the id of each instead of its key.
pub fn shared_servers(port_for: &PortFor) -> Result<Vec<Seen>, Error> {
    let context = port_for.context();
    let mut all = shared::all(&context.store)?;
    for server in &mut all {
        let id = context.id_of(&server.key).unwrap_or(&server.key);
        server.key = id.to_owned();
    }
    Ok(all)
}

/// Stops the shared server of the id; one that is used, only by force.
pub fn stop(port_for: &PortFor, id: &str, by_force: bool) -> Result<(), Error> {
    shared::stop(port_for.context(), id, by_force)
}

/// The text without what would move a terminal's cursor.
#[must_use]
pub fn printable(text: &str) -> String {
    text::printable(text)
}

/// What has a port, as far as the system tells.
#[derive(Debug, Default)]
pub struct Uses {
    /// The processes that listen.
    pub occupants: Vec<Occupant>,
    /// Everything that has it, as errors say it.
    pub told: Vec<String>,
}

impl Uses {
    fn new(occupants: Occupants) -> Self {
        Self {
            told: occupants.told(),
            occupants: occupants.into_vec(),
        }
    }
}

/// What has each of the TCP ports, with one look at the system.
#[must_use]
pub fn uses(ports: &[u16]) -> Vec<Uses> {
    let each = Occupants::of_each(ports).into_iter();
    each.map(Uses::new).collect()
}

/// Everything about one port.
#[derive(Debug)]
pub struct Who {
    /// The id that it is assigned to.
    pub id: Option<String>,
    /// Who has its lease.
    pub holder: Option<Holder>,
    /// What has it, as far as the system tells.
    pub uses: Uses,
}

/// Who has the port.
pub fn who(port_for: &PortFor, port: u16) -> Result<Who, Error> {
    let context = port_for.context();
    let store = &context.store;
    let holder = match store.access()? {
        Some(access) => store.leases().holder(port, access)?,
        None => None,
    };
    let snapshot = store.snapshot()?;
    let key = snapshot.id_of(port);
    Ok(Who {
        // Of another namespace, the whole of what the store calls it.
        id: key.map(|key| context.id_of(key).unwrap_or(key).to_owned()),
        holder,
        uses: Uses::new(Occupants::of(Protocol::Tcp, port)),
    })
}
