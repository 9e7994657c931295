//! What the command needs of the library beyond its public face. Not for people.

use std::path::Path;

use crate::acquire;
use crate::error::Error;
use crate::guard::PortGuard;
use crate::holder::{self, Holder};
use crate::import;
use crate::occupant::{Occupants, Protocol};
use crate::port_for::PortFor;
use crate::request::Request;
use crate::socket;

pub use crate::guard::{become_program, hand_over};
pub use crate::import::Imported;
pub use crate::python_config::{Entry, Fault, parse as parse_python_config};

/// The numbers of the ids' ports, assigned in one write; of the first id exactly `exact`, if there is one.
pub fn numbers(port_for: &PortFor, ids: &[String], exact: Option<u16>) -> Result<Vec<u16>, Error> {
    acquire::numbers(port_for, &requests(port_for, ids, exact))
}

/// Guards for the ids, all or none.
pub fn guards(
    port_for: &PortFor,
    ids: &[String],
    exact: Option<u16>,
) -> Result<Vec<PortGuard>, Error> {
    acquire::guards(port_for, &requests(port_for, ids, exact))
}

fn requests<'a>(port_for: &'a PortFor, ids: &'a [String], exact: Option<u16>) -> Vec<Request<'a>> {
    let mut requests: Vec<_> = ids.iter().map(|id| port_for.request(id)).collect();
    if let (Some(port), Some(first)) = (exact, requests.first_mut()) {
        *first = first.clone().exact_port(port);
    }
    requests
}

/// Takes over the assignments of Python's `port-for`.
pub fn import(port_for: &PortFor, path: &Path) -> Result<Imported, Error> {
    import::import(port_for, path)
}

/// The text without what would move a terminal's cursor.
#[must_use]
pub fn printable(text: &str) -> String {
    holder::printable(text)
}

/// A process that listens on a port.
#[derive(Debug, Clone)]
pub struct Occupant {
    /// Its process id.
    pub pid: u32,
    /// Its command line where the system tells it, else its name.
    pub command: String,
    /// The number of its user.
    pub user: Option<u32>,
}

/// Those who listen on each of the ports.
#[must_use]
pub fn occupants(ports: &[u16]) -> Vec<Vec<Occupant>> {
    Occupants::of_each(ports).iter().map(list).collect()
}

fn list(occupants: &Occupants) -> Vec<Occupant> {
    occupants
        .iter()
        .map(|found| Occupant {
            pid: found.pid,
            command: found.command.clone(),
            user: found.user,
        })
        .collect()
}

/// Everything about one port.
#[derive(Debug)]
pub struct Who {
    /// The id that it is assigned to.
    pub id: Option<String>,
    /// Who has its lease.
    pub holder: Option<Holder>,
    /// Who listens on it, as far as the system tells.
    pub occupants: Vec<Occupant>,
    /// Whether every socket keeps away from it.
    pub is_free: bool,
}

/// Who has the port.
pub fn who(port_for: &PortFor, port: u16) -> Result<Who, Error> {
    let store = port_for.store();
    let holder = match store.access()? {
        Some(access) => store.leases().holder(port, access)?,
        None => None,
    };
    let snapshot = store.snapshot()?;
    let key = snapshot.id_of(port);
    Ok(Who {
        // Of another namespace, the whole of what the store calls it.
        id: key.map(|key| port_for.id_of(key).unwrap_or(key).to_owned()),
        holder,
        occupants: list(&Occupants::of(Protocol::Tcp, port)),
        is_free: socket::can_be_bound(port).unwrap_or(false),
    })
}
