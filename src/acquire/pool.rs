//! The ports that there are to choose from, and what to say when none of them is left.

use std::sync::{Mutex, PoisonError};

use once_cell::sync::Lazy;

use super::tell::tell;
use crate::ask::Ask;
use crate::context::Context;
use crate::error::{Cause, Error};
use crate::group::MAX_BLOCK;
use crate::ports::PortSet;

/// The ports that this system gives to outgoing connections.
static EPHEMERAL: Lazy<PortSet> = Lazy::new(|| &PortSet::ephemeral() - &PortSet::reserved());

/// The ports that no companion may have. Empty if the request has no companions: finding them out asks the system.
pub(super) fn never_companions(ask: &Ask) -> PortSet {
    if ask.group.companions.is_empty() {
        PortSet::new()
    } else {
        EPHEMERAL.clone()
    }
}

/// No port of the pool is free: so many are assigned, held, and in use.
pub(super) fn exhausted(
    context: &Context,
    ask: &Ask,
    [assigned, held, taken]: [usize; 3],
    largest: Option<usize>,
) -> Error {
    let considered = pool(context, ask).len();
    let why_none = (considered == 0).then(|| {
        if ask.ports.is_some() {
            return "the request's set of ports is empty; give it some".to_owned();
        }
        format!(
            "this system gives the ports {} to outgoing connections, and nothing is left for the pool; set `PORT_FOR_POOL` \
             to ports that they do not get, or keep some from them, on Linux with `sysctl \
             net.ipv4.ip_local_reserved_ports=20000-29999`, and set `PORT_FOR_POOL=20000-29999`",
            PortSet::ephemeral()
        )
    });
    let (id, store) = (ask.id().map(str::to_owned), context.store.path().to_owned());
    Cause::Exhausted {
        id,
        why_none,
        considered,
        assigned,
        held,
        taken,
        store,
        group: largest.map(|largest| (ask.group.to_string(), largest)),
    }
    .into()
}

/// Warns, once a port, that a demanded port can be lost to an outgoing connection.
pub(super) fn warn_if_ephemeral(port: u16) {
    static WARNED: Mutex<PortSet> = Mutex::new(PortSet::new());
    if !EPHEMERAL.contains(port) {
        return;
    }
    // The set is whole after every step.
    let mut warned = WARNED.lock().unwrap_or_else(PoisonError::into_inner);
    if warned.insert(port) {
        tell(&format!(
            "port {port} is one of those that this system gives to outgoing connections ({}): while nothing holds it, such a \
             connection can take it",
            *EPHEMERAL
        ));
    }
}

/// What an id gets its first port from.
pub(super) fn pool<'a>(context: &'a Context, ask: &'a Ask) -> &'a PortSet {
    // The system is asked once by each process: its answers rarely change, and cost as much as the rest of the choice.
    static GOOD: Lazy<PortSet> = Lazy::new(PortSet::good);
    let pool = ask.ports.as_ref().or(context.config.pool.as_ref());
    pool.unwrap_or_else(|| &GOOD)
}

/// How many consecutive ports of the pool are free at most; none if one port alone is asked for.
pub(super) fn largest(
    ask: &Ask,
    pool: &PortSet,
    mut is_free: impl FnMut(u16) -> Result<bool, Error>,
) -> Result<Option<usize>, Error> {
    if ask.group.is_single() {
        return Ok(None);
    }
    let (mut largest, mut length, mut last) = (0, 0, None);
    for port in pool {
        let is_next = last.is_some_and(|last: u16| last.checked_add(1) == Some(port));
        length = match is_free(port)? {
            true if is_next => length + 1,
            true => 1,
            false => 0,
        };
        last = Some(port);
        largest = largest.max(length);
    }
    Ok(Some(largest.min(usize::from(MAX_BLOCK))))
}
