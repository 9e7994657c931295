//! Forgetting assignments.

use std::time::{Duration, SystemTime};

#[cfg(feature = "cli")]
use crate::config::checkout;
use crate::context::Context;
use crate::error::{Cause, Error};
use crate::files::{Access, LOCKS_CAN_BE_REMOVED};
use crate::lease::{Lease, record};
use crate::ports::PortSet;
use crate::store::{Assignment, Store, Transaction};
use crate::wait::{Wait, without_pending};

/// Forgets the port of `id`, unless it is held.
pub(crate) fn release(context: &Context, id: &str) -> Result<Option<u16>, Error> {
    let key = context.key(id)?;
    let store = &context.store;
    if store.snapshot()?.port_of(&key).is_none() {
        return Ok(None);
    }
    let mut change = store.begin(context.config.timeout)?;
    let Some(port) = change.snapshot().port_of(&key) else {
        return Ok(None);
    };
    let Some(lease) = take_for_a_moment(store, port, change.access())? else {
        let lease = store.leases().path(port);
        return Err(Cause::Busy {
            id: Some(id.to_owned()),
            port,
            holder: record::read(&lease),
            waited: Wait::GLANCE,
            lease,
            advice: "what is in use cannot be forgotten: let it end first",
        }
        .into());
    };
    change.remove(&key);
    change.commit()?;
    // Under both locks: a waiter for the lease notices that its file is gone.
    lease.remove()?;
    Ok(Some(port))
}

/// Forgets what was not used for that long, in this namespace.
pub(crate) fn prune(context: &Context, unused_for: Duration) -> Result<Vec<Assignment>, Error> {
    let mut wait = Wait::new(context.config.timeout);
    without_pending(forget_unused(context, &mut wait, unused_for, |key, _| {
        context.id_of(key)
    }))
}

/// Forgets the ids of checkouts whose folders are not there any more, except those that are held. An id is named as the
/// store has it.
#[cfg(feature = "cli")]
pub(crate) fn prune_gone(context: &Context) -> Result<Vec<Assignment>, Error> {
    let mut wait = Wait::new(context.config.timeout);
    without_pending(forget_unused(
        context,
        &mut wait,
        Duration::ZERO,
        |key, _| checkout::is_gone(key).then_some(key),
    ))
}

/// Forgets what was not used for that long and has one of the ports, in all namespaces: a checkout that is gone
/// forgets nothing by itself. Those that are asked for are about to be used.
pub(super) async fn make_room(
    context: &Context,
    wait: &mut Wait,
    unused_for: Duration,
    ports: &PortSet,
    asked: &[&str],
) -> Result<Vec<Assignment>, Error> {
    forget_unused(context, wait, unused_for, |key, port| {
        (ports.contains(port) && !asked.contains(&key)).then_some(key)
    })
    .await
}

/// As many leases are held at once: each is an open file, of which a process may have 256 on some systems.
const BATCH: usize = 64;

/// `name` tells by which name to speak of an assignment; none: leave it.
async fn forget_unused(
    context: &Context,
    wait: &mut Wait,
    unused_for: Duration,
    name: impl for<'key> Fn(&'key str, u16) -> Option<&'key str>,
) -> Result<Vec<Assignment>, Error> {
    let store = &context.store;
    if store.access()?.is_none() {
        return Ok(Vec::new());
    }
    let mut change = store.begin_within(wait).await?;
    let access = change.access();
    let all: Vec<_> = change.snapshot().iter().map(own).collect();
    let mut forgotten = Vec::new();
    for batch in all.chunks(BATCH) {
        let mut leases = Vec::new();
        for (key, port) in batch {
            if let Some(name) = name(key, *port)
                && let Some(found) = unused(store, name, *port, access, unused_for)?
                // A holder that took it since we looked uses it.
                && let Some(lease) = take_for_a_moment(store, *port, access)?
            {
                change.remove(key);
                leases.push((key, lease, found));
            }
        }
        change.commit()?;
        // A caller that was given the number meanwhile has put its use on record, and then looked whether the number is
        // still there. If it was, the use is there by now.
        let mut gone = Vec::new();
        for (key, lease, found) in leases {
            match store.leases().last_used(found.port())? {
                Some(last) if Some(last) != found.last_used() && !is_over(last, unused_for) => {
                    change.assign(key, found.port());
                }
                _ => gone.push((lease, found)),
            }
        }
        change.commit()?;
        for (lease, found) in gone {
            lease.remove()?;
            forgotten.push(found);
        }
    }
    remove_strays_under(store, &change)?;
    Ok(forgotten)
}

fn own((key, port): (&str, u16)) -> (String, u16) {
    (key.to_owned(), port)
}

/// What is known of an assignment that was not used for that long; none if it was.
fn unused(
    store: &Store,
    name: &str,
    port: u16,
    access: Access,
    unused_for: Duration,
) -> Result<Option<Assignment>, Error> {
    let leases = store.leases();
    if leases.last_used(port)?.is_none() {
        // Nothing is known, so the time is counted from now on.
        leases.record_use(port, access)?;
    }
    let found = Assignment::look(leases, access, name, port)?;
    let last = found.last_used().unwrap_or_else(SystemTime::now);
    let is_unused = found.holder().is_none() && is_over(last, unused_for);
    Ok(is_unused.then_some(found))
}

/// Whether that much time has passed since. A time in the future, of a clock that was set back, is no time ago.
fn is_over(last: SystemTime, unused_for: Duration) -> bool {
    last.elapsed().unwrap_or_default() >= unused_for
}

/// Removes the lease files of ports that no id has: those of guards without an id, and those of processes that were
/// killed between forgetting an assignment and removing its file. Another writer of the store will do it as well.
pub(super) fn remove_strays(store: &Store) -> Result<(), Error> {
    match store.try_begin()? {
        Some(change) => remove_strays_under(store, &change),
        None => Ok(()),
    }
}

fn remove_strays_under(store: &Store, change: &Transaction<'_>) -> Result<(), Error> {
    if !LOCKS_CAN_BE_REMOVED {
        return Ok(());
    }
    let assigned: PortSet = change.snapshot().iter().map(|(_, port)| port).collect();
    for port in store.leases().ports()? {
        if !assigned.contains(port)
            && let Some(lease) = store.leases().try_take_unused(port, change.access())?
        {
            lease.remove()?;
        }
    }
    Ok(())
}

/// The lease of the port, unless it is held for longer than a glance takes.
fn take_for_a_moment(store: &Store, port: u16, access: Access) -> Result<Option<Lease>, Error> {
    let mut wait = Wait::glance();
    loop {
        if let Some(lease) = store.leases().try_take_unused(port, access)? {
            return Ok(Some(lease));
        }
        if !wait.pause() {
            return Ok(None);
        }
    }
}
