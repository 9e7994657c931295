//! Which port an id has: the one that the store remembers, or one that is chosen now.

use std::time::Duration;

use super::choose::choose;
use super::forget;
use super::known::{Known, known, port_of};
use super::pool::pool;
use super::target::{Target, longest, targets};
use super::tell::tell;
use crate::ask::Ask;
use crate::context::Context;
use crate::error::{Cause, Error, ErrorKind};
use crate::group::member;
use crate::ports::PortSet;
use crate::store::{Snapshot, Store, Transaction};
use crate::wait::{Wait, without_pending};

/// After which time an unused assignment makes room for another one, once there is no room left.
const STALE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The ports of the ids, for a caller that wants no more than the numbers.
pub(crate) fn numbers(context: &Context, asks: &[Ask]) -> Result<Vec<u16>, Error> {
    if asks.iter().any(|ask| ask.id().is_none()) {
        return Err(Cause::NoId.into());
    }
    let mut targets = targets(context, asks)?;
    for target in &mut targets {
        target.wants_number = true;
    }
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
        if found.all(|(target, &port)| port_of(&snapshot, target) == Some(port)) {
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
        let known = known(store, change.snapshot(), target)?;
        if !matches!(known, Known::All(_)) {
            let port = choose(context, &change, target, known)?;
            give(&mut change, target, port);
        }
    }
    let ports = remembered(store, change.snapshot(), targets)?;
    change.commit()?;
    Ok(ports.expect("every id has a port by now"))
}

/// Gives the id all of its ports, of which this is the first.
pub(super) fn give(change: &mut Transaction<'_>, target: &Target<'_>, first: u16) {
    for offset in target.ask.group.offsets() {
        let member = member(&target.key, offset);
        if change.snapshot().port_of(&member) != Some(first + offset) {
            change.assign(&member, first + offset);
        }
    }
}

/// The ports of the ids by what was last read of the store, if it knows all of them: it may have changed since. A demand
/// is not met by that.
pub(super) fn last_read(context: &Context, targets: &[&Target<'_>]) -> Option<Vec<u16>> {
    let snapshot = context.store.last_read()?;
    let port_of = |target: &&Target<'_>| {
        let port = port_of(&snapshot, target);
        port.filter(|_| !target.ask.is_exact())
    };
    targets.iter().map(port_of).collect()
}

/// The first ports of the ids, if the store knows all that is asked for.
fn remembered(
    store: &Store,
    snapshot: &Snapshot,
    targets: &[&Target<'_>],
) -> Result<Option<Vec<u16>>, Error> {
    let mut ports = Vec::with_capacity(targets.len());
    for target in targets {
        if let Known::All(port) = known(store, snapshot, target)? {
            ports.push(port);
        }
    }
    Ok((ports.len() == targets.len()).then_some(ports))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::Preference;

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
