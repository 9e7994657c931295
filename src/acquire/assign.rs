//! Which port an id has: the one that the store remembers, or one that is chosen now.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use once_cell::sync::Lazy;

use super::forget;
use super::refused::{UNPRIVILEGED, at_localhost, refused};
use super::target::{Target, longest, targets};
use super::tell::tell;
use crate::ask::{Ask, Preference};
use crate::context::Context;
use crate::error::{Cause, Error, ErrorKind};
use crate::ports::{self, PortSet};
use crate::socket::Probe;
use crate::store::{Snapshot, Store, Transaction};
use crate::wait::{Wait, without_pending};

/// After which time an unused assignment makes room for another one, once there is no room left.
const STALE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The ports of the ids, for a caller that wants no more than the numbers.
pub(crate) fn numbers(context: &Context, asks: &[Ask]) -> Result<Vec<u16>, Error> {
    if asks.iter().any(|ask| ask.id().is_none()) {
        return Err(Cause::NoId.into());
    }
    let targets = targets(context, asks)?;
    let mut wait = Wait::new(longest(targets.iter().map(|target| target.timeout)));
    let targets: Vec<_> = targets.iter().collect();
    let store = &context.store;
    loop {
        let ports = without_pending(assign(context, &targets, &mut wait))?;
        if let Some(access) = store.access()? {
            for &port in &ports {
                // A store that we may only read still tells the port; that this was a use stays unknown then.
                let _ = store.leases().record_use(port, access);
            }
        }
        // `prune` may have forgotten one since: it looks at the uses once more after that.
        let snapshot = store.snapshot()?;
        let mut found = targets.iter().zip(&ports);
        if found.all(|(target, &port)| snapshot.port_of(&target.key) == Some(port)) {
            return Ok(ports);
        }
    }
}

/// The ports of the ids: remembered, or assigned now, in one write.
///
/// If no port is left, and forgetting what was not used for long leaves one, that one.
pub(super) async fn assign(
    context: &Context,
    targets: &[&Target<'_>],
    wait: &mut Wait,
) -> Result<Vec<u16>, Error> {
    match try_assign(context, targets, wait).await {
        Err(error) if error.kind() == ErrorKind::Exhausted => {
            make_room(context, targets, wait, error).await?;
            try_assign(context, targets, wait).await
        }
        done => done,
    }
}

/// Forgets what was not used for long and has a port that one of the ids could have.
///
/// # Errors
///
/// `exhausted` when there is no such assignment.
pub(super) async fn make_room(
    context: &Context,
    targets: &[&Target<'_>],
    wait: &mut Wait,
    exhausted: Error,
) -> Result<(), Error> {
    let pools = targets.iter().map(|target| pool(context, target.ask));
    let wanted = pools.fold(PortSet::new(), |all, pool| all.union(pool));
    let asked: Vec<_> = targets.iter().map(|target| &*target.key).collect();
    let forgotten = forget::make_room(context, wait, STALE, &wanted, &asked).await?;
    if forgotten.is_empty() {
        return Err(exhausted);
    }
    let named: Vec<_> = forgotten
        .iter()
        .map(|was| format!("`{}` (port {})", was.id(), was.port()))
        .collect();
    tell(&format!(
        "no port was left; forgot what was not used for 30 days: {}",
        named.join(", ")
    ));
    Ok(())
}

async fn try_assign(
    context: &Context,
    targets: &[&Target<'_>],
    wait: &mut Wait,
) -> Result<Vec<u16>, Error> {
    let store = &context.store;
    if let Some(ports) = remembered(store, &*store.snapshot()?, targets)? {
        return Ok(ports);
    }
    let mut change = store.begin_within(wait).await?;
    // Demands first: what they name is then left to them.
    let (demands, others): (Vec<&Target<'_>>, Vec<&Target<'_>>) =
        targets.iter().partition(|target| target.ask.is_exact());
    for target in demands.into_iter().chain(others) {
        if change.snapshot().port_of(&target.key).is_none() {
            let port = choose(context, &change, target)?;
            change.assign(&target.key, port);
        }
    }
    let ports = remembered(store, change.snapshot(), targets)?;
    change.commit()?;
    Ok(ports.expect("every id has a port by now"))
}

/// The ports of the ids by what was last read of the store, if it knows all of them: it may have changed since. A demand
/// is not met by that.
pub(super) fn last_read(context: &Context, targets: &[&Target<'_>]) -> Option<Vec<u16>> {
    let snapshot = context.store.last_read()?;
    let port_of = |target: &&Target<'_>| {
        let port = snapshot.port_of(&target.key);
        port.filter(|_| !target.ask.is_exact())
    };
    targets.iter().map(port_of).collect()
}

/// The ports of the ids, if the store knows all of them.
fn remembered(
    store: &Store,
    snapshot: &Snapshot,
    targets: &[&Target<'_>],
) -> Result<Option<Vec<u16>>, Error> {
    let mut ports = Vec::with_capacity(targets.len());
    for target in targets {
        let port = snapshot.port_of(&target.key);
        if let Preference::Exact(wanted) = target.ask.preference {
            check_exact(store, snapshot, &target.key, wanted, port)?;
        }
        ports.extend(port);
    }
    Ok((ports.len() == targets.len()).then_some(ports))
}

/// An exact port conflicts with another one of the same id, and with another id that has it.
fn check_exact(
    store: &Store,
    snapshot: &Snapshot,
    key: &str,
    wanted: u16,
    port: Option<u16>,
) -> Result<(), Error> {
    let (id, store) = (key.to_owned(), store.path().to_owned());
    let conflict = match port {
        _ if wanted == 0 => Cause::NotAPort { id: Some(id) },
        Some(has) if has == wanted => return Ok(()),
        Some(has) => Cause::HasOtherPort {
            id,
            wanted,
            has,
            store,
        },
        None => match snapshot.id_of(wanted) {
            None => return Ok(()),
            Some(other) => Cause::PortOfOther {
                id,
                wanted,
                other: other.to_owned(),
                store,
            },
        },
    };
    Err(conflict.into())
}

/// A port for an id that has none: the preferred one, or the first of the id's own order that is in the pool and free.
/// The store's lock is held.
pub(super) fn choose(
    context: &Context,
    change: &Transaction<'_>,
    target: &Target<'_>,
) -> Result<u16, Error> {
    let (ask, store) = (target.ask, &context.store);
    if let Preference::Exact(port) = ask.preference {
        // Another id can have got it since the store was read without its lock.
        check_exact(store, change.snapshot(), &target.key, port, None)?;
        warn_if_ephemeral(port);
        return Ok(port);
    }
    let assigned: PortSet = change.snapshot().iter().map(|(_, port)| port).collect();
    let leases = store.leases();
    let holder = |port| leases.holder(port, change.access());
    let probe = Probe::default();
    let is_free = |port| {
        (probe.can_be_bound(port)).map_err(|source| refused(ask.id(), at_localhost(port), source))
    };
    if let Preference::Default(port) = ask.preference
        && port >= UNPRIVILEGED
        && !assigned.contains(port)
        && holder(port)?.is_none()
        && is_free(port)?
    {
        return Ok(port);
    }
    let pool = pool(context, ask);
    let (mut held, mut taken) = (0, 0);
    for port in ports::walk(&target.key) {
        if !pool.contains(port) || assigned.contains(port) {
            continue;
        }
        if let Some(holder) = holder(port)? {
            // A guard of this very id, whose assignment was lost: with the store, or by an edit.
            if holder.key.as_deref() == Some(&*target.key) {
                return Ok(port);
            }
            held += 1;
        } else if is_free(port)? {
            return Ok(port);
        } else {
            taken += 1;
        }
    }
    let assigned = pool.intersection(&assigned).len();
    Err(exhausted(context, ask, [assigned, held, taken]))
}

/// No port of the pool is free: so many are assigned, held, and in use.
pub(super) fn exhausted(
    context: &Context,
    ask: &Ask,
    [assigned, held, taken]: [usize; 3],
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
    }
    .into()
}

/// Warns, once a port, that a demanded port can be lost to an outgoing connection.
pub(super) fn warn_if_ephemeral(port: u16) {
    static EPHEMERAL: Lazy<PortSet> = Lazy::new(|| &PortSet::ephemeral() - &PortSet::reserved());
    static WARNED: Mutex<PortSet> = Mutex::new(PortSet::new());
    if !EPHEMERAL.contains(port) {
        return;
    }
    // The set is whole after every step.
    let mut warned = WARNED.lock().unwrap_or_else(PoisonError::into_inner);
    if warned.insert(port) {
        tell(&format!(
            "port {port} was demanded, and is one of those that this system gives to outgoing connections ({}): while it is \
             not held, one of them can take it",
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

#[cfg(test)]
mod tests {
    use super::*;

    fn assigned(context: &Context, asks: &[Ask]) -> Result<Vec<u16>, Error> {
        numbers(context, asks)
    }

    fn one_port(context: &Context, id: &str) -> u16 {
        assigned(context, &[Ask::new(id.to_owned())]).unwrap()[0]
    }

    fn exactly(id: &str, port: u16) -> Ask {
        let mut ask = Ask::new(id.to_owned());
        ask.preference = Preference::Exact(port);
        ask
    }

    #[test]
    fn a_port_that_one_id_demands_is_not_chosen_for_another_of_the_same_call() {
        let folder = tempfile::tempdir().unwrap();
        let open = |name| Context::open(&folder.path().join(name)).unwrap();
        let chosen = one_port(&open("one"), "api");
        let asks = [Ask::new("api".to_owned()), exactly("db", chosen)];
        let ports = assigned(&open("two"), &asks).unwrap();
        assert_eq!(ports[1], chosen);
        assert_ne!(ports[0], chosen);
    }

    #[test]
    fn no_room_is_made_of_an_id_that_the_same_call_asks_for() {
        let folder = tempfile::tempdir().unwrap();
        let context = Context::open(&folder.path().join("ports.json")).unwrap();
        let port = one_port(&context, "old");
        let lease = std::fs::File::options()
            .write(true)
            .open(context.store.leases().path(port));
        let long_ago = std::time::SystemTime::now() - 2 * STALE;
        lease.unwrap().set_modified(long_ago).unwrap();

        let asks = ["new", "old"].map(|id| Ask {
            ports: Some(PortSet::from([port])),
            ..Ask::new(id.to_owned())
        });
        let error = assigned(&context, &asks).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Exhausted);
        assert_eq!(one_port(&context, "old"), port);
        assert_eq!(context.store.snapshot().unwrap().iter().count(), 1);
    }

    #[test]
    fn what_was_read_last_answers_for_ids_that_it_knows_and_for_no_demand() {
        let folder = tempfile::tempdir().unwrap();
        let context = Context::open(&folder.path().join("ports.json")).unwrap();
        let last = |asks: &[Ask]| {
            let targets = targets(&context, asks).unwrap();
            last_read(&context, &targets.iter().collect::<Vec<_>>())
        };
        let [api, new] = ["api", "new"].map(|id| Ask::new(id.to_owned()));
        assert_eq!(last(std::slice::from_ref(&api)), None);
        let port = one_port(&context, "api");
        context.store.snapshot().unwrap();
        assert_eq!(last(std::slice::from_ref(&api)), Some(vec![port]));
        assert_eq!(last(&[api, new]), None);
        assert_eq!(last(&[exactly("api", port)]), None);
    }
}
