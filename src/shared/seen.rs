//! Shared servers as the command line tool sees and ends them.

use std::fs;
use std::io::{self, Read};
use std::time::Duration;

use serde_json::Value;

use super::place::Place;
use super::state::{End, Phase, State};
use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::files;
use crate::lease::Lock;
use crate::store::Store;
use crate::wait::{Wait, Waiter, without_pending};
use crate::who::Holder;

/// A shared server that runs, or is being started or stopped.
#[derive(Debug)]
pub struct Seen {
    /// What the store calls its id.
    pub key: String,
    /// The process that owns it.
    pub keeper: Holder,
    /// The server's first process, once it is ready.
    pub server: Option<u32>,
    /// Who uses it, the oldest first.
    pub users: Vec<Holder>,
}

/// All shared servers of a store.
pub(crate) fn all(store: &Store) -> Result<Vec<Seen>, Error> {
    let folder = Place::all(store);
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| files::failed("read the folder", &folder, error))?,
    };
    let mut all = Vec::new();
    for entry in entries.flatten() {
        if let Some(seen) = look(store, &entry.path())? {
            all.push(seen);
        }
    }
    Ok(all)
}

fn look(store: &Store, folder: &std::path::Path) -> Result<Option<Seen>, Error> {
    let Some(access) = files::access(folder)? else {
        return Ok(None);
    };
    // The key is in the state; the folder's name is only its hash.
    let state = files::open(
        "read the state of the shared server",
        &folder.join("state.json"),
        access,
    )?;
    let mut text = Vec::new();
    if state.is_none_or(|(mut file, _)| file.read_to_end(&mut text).is_err()) {
        return Ok(None);
    }
    let state = State::parse(&serde_json::from_slice(&text).unwrap_or(Value::Null));
    let Some(state) = state else { return Ok(None) };
    let place = Place::of(store, &state.key, &state.key)?;
    let Some(keeper) = Lock::holder(&place.keeper(), place.access())? else {
        return Ok(None);
    };
    Ok(Some(Seen {
        keeper,
        server: match state.phase {
            Phase::Ready { server, .. } => Some(server),
            _ => None,
        },
        users: place.users().list()?,
        key: state.key,
    }))
}

/// Longer than most servers take to be started, and then stopped.
const STOP_TIMEOUT: Duration = Duration::from_secs(120);

/// Stops the shared server of an id, and waits until it has ended; one that is used, only by force.
///
/// # Errors
///
/// [`Server`](ErrorKind::Server) when there is none, or it does not end; [`Busy`](ErrorKind::Busy) when it is used.
pub(crate) fn stop(context: &Context, id: &str, by_force: bool) -> Result<(), Error> {
    let key = context.key(id)?;
    let place = Place::of(&context.store, id, &key)?;
    let cannot = |kind, why: &str| {
        place.error(
            kind,
            format!("cannot stop the shared server of `{id}`: {why}"),
        )
    };
    let start = {
        let _gate = without_pending(place.gate(Waiter::Thread))?;
        let state = State::read(&place)?;
        let Some(mut state) = state.filter(|_| place.has_keeper().unwrap_or(false)) else {
            return Err(cannot(ErrorKind::Server, "none runs"));
        };
        let users = place.users().list()?;
        if !users.is_empty() && !by_force {
            let users: Vec<_> = users.iter().map(|user| format!("\n  {user}")).collect();
            let why = format!(
                "it is in use; let its users end, or add `--force`:{}",
                users.concat()
            );
            return Err(cannot(ErrorKind::Busy, &why));
        }
        state.end = if by_force { End::Now } else { End::Unused };
        state.write(&place)?;
        state.start
    };
    let mut wait = Wait::patient(Waiter::Thread, STOP_TIMEOUT);
    while place.has_keeper()? && State::read(&place)?.is_none_or(|state| state.start == start) {
        if !wait.pause() {
            return Err(cannot(
                ErrorKind::Server,
                "it has not ended after two minutes",
            ));
        }
    }
    Ok(())
}
