//! Forgetting assignments.

use std::time::{Duration, SystemTime};

#[cfg(feature = "cli")]
use crate::config::checkout;
use crate::context::Context;
use crate::error::{Cause, Error, ErrorKind};
use crate::files::{Access, LOCKS_CAN_BE_REMOVED};
use crate::group::member;
use crate::lease::{Lease, record};
use crate::ports::PortSet;
use crate::store::{Assignment, Snapshot, Store, Transaction};
use crate::wait::{Wait, without_pending};

/// Forgets the port of `id`, unless it is held.
pub(crate) fn release(context: &Context, id: &str) -> Result<Option<u16>, Error> {
    let key = context.key(id)?;
    let store = &context.store;
    if store.snapshot()?.port_of(&key).is_none() {
        return Ok(None);
    }
    let mut change = store.begin(context.config.timeout)?;
    if let Some(leader) = change.snapshot().leader_of(&key) {
        let what = format!(
            "`{key}` is a port of the group `{leader}` in `{}`, whose ports are released together: release that id",
            store.path().display()
        );
        return Err(Cause::Group {
            kind: ErrorKind::Conflict,
            id: Some(id.to_owned()),
            what,
            release: None,
        }
        .into());
    }
    let Some((first, offsets)) = change.snapshot().group_of(&key) else {
        return Ok(None);
    };
    let mut leases = Vec::new();
    for offset in std::iter::once(0).chain(offsets) {
        let port = first + offset;
        let Some(lease) = take_for_a_moment(store, port, change.access())? else {
            let lease = store.leases().path(port);
            return Err(Cause::Busy {
                id: Some(member(id, offset).into_owned()),
                port,
                holder: record::read(&lease),
                server: crate::server::left_on(port),
                waited: Wait::GLANCE,
                lease,
                advice: "what is in use cannot be forgotten: let it end first",
            }
            .into());
        };
        leases.push(lease);
        change.remove(&member(&key, offset));
    }
    change.commit()?;
    // Under both locks: a waiter for a lease notices that its file is gone.
    leases.into_iter().try_for_each(Lease::remove)?;
    Ok(Some(first))
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
    forget_unused(context, wait, unused_for, |key, its| {
        let has_one = its.iter().any(|&port| ports.contains(port));
        (has_one && !asked.contains(&key)).then_some(key)
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
    name: impl for<'key> Fn(&'key str, &[u16]) -> Option<&'key str>,
) -> Result<Vec<Assignment>, Error> {
    let store = &context.store;
    if store.access()?.is_none() {
        return Ok(Vec::new());
    }
    let mut change = store.begin_within(wait).await?;
    let access = change.access();
    let all: Vec<_> = change.snapshot().groups().map(own).collect();
    let mut forgotten = Vec::new();
    for batch in all.chunks(BATCH) {
        let mut leases = Vec::new();
        for (key, ports) in batch {
            if let Some(name) = name(key, ports)
                && let Some(found) = unused(store, name, ports, access, unused_for)?
                // A holder that took one since we looked uses them.
                && let Some(own) = take_all_for_a_moment(store, ports, access)?
            {
                for member in Snapshot::members_of(key, ports) {
                    change.remove(&member);
                }
                leases.push((key, own, found));
            }
        }
        change.commit()?;
        // A caller that was given the first number meanwhile has put its use on record, and then looked whether the number
        // is still there. If it was, the use is there by now.
        let mut gone = Vec::new();
        for (key, own, found) in leases {
            match store.leases().last_used(found.port())? {
                Some(last) if Some(last) != found.last_used() && !is_over(last, unused_for) => {
                    let members = Snapshot::members_of(key, found.ports());
                    for (member, &port) in members.iter().zip(found.ports()) {
                        change.assign(member, port);
                    }
                }
                _ => gone.push((own, found)),
            }
        }
        change.commit()?;
        for (own, found) in gone {
            own.into_iter().try_for_each(Lease::remove)?;
            forgotten.push(found);
        }
    }
    remove_strays_under(store, &change)?;
    Ok(forgotten)
}

fn own((key, ports): (&str, Vec<u16>)) -> (String, Vec<u16>) {
    (key.to_owned(), ports)
}

/// When one of the ports was last used.
fn last_used(store: &Store, ports: &[u16]) -> Result<Option<SystemTime>, Error> {
    let uses = ports.iter().map(|&port| store.leases().last_used(port));
    uses.reduce(|last, other| Ok(last?.max(other?)))
        .unwrap_or(Ok(None))
}

/// What is known of an assignment that was not used for that long; none if it was.
fn unused(
    store: &Store,
    name: &str,
    ports: &[u16],
    access: Access,
    unused_for: Duration,
) -> Result<Option<Assignment>, Error> {
    let leases = store.leases();
    if last_used(store, ports)?.is_none() {
        // Nothing is known, so the time is counted from now on.
        leases.record_use(ports[0], access)?;
    }
    let found = Assignment::look(leases, access, name, ports.to_vec())?;
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

/// The leases of all the ports, unless one is held for longer than a glance takes.
fn take_all_for_a_moment(
    store: &Store,
    ports: &[u16],
    access: Access,
) -> Result<Option<Vec<Lease>>, Error> {
    let leases = ports
        .iter()
        .map(|&port| take_for_a_moment(store, port, access));
    leases.collect()
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
