//! The whole story, from what is asked for to guards.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use crate::ask::Ask;
use crate::context::Context;
use crate::error::{Cause, Error};
use crate::files;
use crate::guard::PortGuard;
use crate::lease::{Lease, record};
use crate::wait::{Wait, Waiter, without_pending};

mod adopt;
mod anonymous;
mod assign;
pub(crate) mod forget;
mod hold;
mod refused;
mod target;
mod tell;

pub(crate) use anonymous::available_port;
pub(crate) use assign::numbers;
use target::{Target, longest, targets};
use tell::{PATIENCE, say};

/// Makes all the ports that are asked for yours, or none.
pub(crate) fn guards(context: &Arc<Context>, asks: &[Ask]) -> Result<Vec<PortGuard>, Error> {
    without_pending(guards_for(Waiter::Thread, context, asks))
}

/// The story itself. It is told once, for threads and for tasks: only the waiting differs.
pub(crate) async fn guards_for(
    waiter: Waiter,
    context: &Arc<Context>,
    asks: &[Ask],
) -> Result<Vec<PortGuard>, Error> {
    let targets = targets(context, asks)?;
    let mut wait = Wait::of(waiter, longest(targets.iter().map(Target::limit)));
    let mut guards = 'again: loop {
        // 0. A socket that this process was started with has its port already, and its lease is its starter's.
        let (inherited, wanted): (Vec<_>, Vec<_>) =
            targets.iter().partition(|target| target.inherited());
        // 1. Which ports? Those that the store remembers; the ids that it does not know get theirs now.
        //    A writer of the store is not a holder of the port: `OnBusy::Fail` waits for it.
        let ports = if let Some(ports) = assign::last_read(context, &wanted) {
            ports
        } else {
            let left = longest(targets.iter().map(|target| target.timeout)).max(Wait::GLANCE);
            let mut for_store = Wait::of(waiter, left.saturating_sub(wait.elapsed()));
            assign::assign(context, &wanted, &mut for_store).await?
        };
        // 2. Ours alone. In the order of the ports, so that two who want the same ones never wait for each other.
        let mut order: Vec<usize> = (0..wanted.len()).collect();
        order.sort_unstable_by_key(|&nth| ports[nth]);
        let mut leases: Vec<_> = wanted.iter().map(|_| None).collect();
        for nth in order {
            leases[nth] = lease(context, &wanted, &ports, nth, &mut wait).await?;
            if leases[nth].is_none() {
                continue 'again;
            }
        }
        // 3. Meanwhile an id may have been released, or moved.
        if !still_assigned(context, &wanted, &ports)? {
            continue;
        }
        // 4. Held.
        let leases = leases.into_iter().flatten();
        let Some(mut guards) = hold::all(context, &wanted, &ports, leases, &mut wait).await? else {
            continue;
        };
        if adopt::all(&inherited, &mut guards, &mut wait).await? {
            break guards;
        }
    };
    for guard in &mut guards {
        guard.set_neighbours(Arc::clone(context) as _);
    }
    guards.sort_unstable_by_key(|guard| asks.iter().position(|ask| Some(&*ask.id) == guard.id()));
    Ok(guards)
}

/// For callers that know how many ports they asked for.
pub(crate) fn array<const N: usize>(guards: Vec<PortGuard>) -> [PortGuard; N] {
    guards
        .try_into()
        .expect("there is one guard for each port that was asked for")
}

/// The lease of the nth port, waited for while another holder has it; none when one of the ports is not its id's any
/// more.
async fn lease(
    context: &Context,
    targets: &[&Target<'_>],
    ports: &[u16],
    nth: usize,
    wait: &mut Wait,
) -> Result<Option<Lease>, Error> {
    let (target, port) = (targets[nth], ports[nth]);
    let (store, id) = (&context.store, &target.ask.id);
    let leases = store.leases();
    // An assignment was just read from the folder: it is there.
    let Some(access) = store.access()? else {
        return Err(files::failed(
            "find the folder",
            store.path(),
            io::ErrorKind::NotFound.into(),
        ));
    };
    let (began, mut told) = (Instant::now(), false);
    loop {
        if let Some(lease) = leases.try_take(port, access)? {
            return Ok(Some(lease));
        }
        // Or the wait would be for another id that has the port by now.
        if !still_assigned(context, targets, ports)? {
            return Ok(None);
        }
        if wait.is_all_the_waiter_does() && leases.is_held_by_the_asker(port) {
            let id = id.clone();
            return Err(Cause::Deadlock { id, port }.into());
        }
        if !told && began.elapsed() >= PATIENCE {
            // The holder of a moment ago may be gone by now: then there is nothing to tell.
            if let Some(holder) = leases.holder(port, access)? {
                say(
                    &format!("`{id}` (port {port}) is held by {holder}"),
                    target,
                    wait,
                );
                told = true;
            }
        }
        if !wait.rest().await {
            return Err(Cause::Busy {
                id: id.clone(),
                port,
                holder: record::read(&leases.path(port)),
                waited: wait.elapsed(),
                lease: leases.path(port),
                advice: target.advice_to_wait(),
            }
            .into());
        }
    }
}

fn still_assigned(
    context: &Context,
    targets: &[&Target<'_>],
    ports: &[u16],
) -> Result<bool, Error> {
    let snapshot = context.store.snapshot()?;
    let mut assigned = targets.iter().zip(ports);
    Ok(assigned.all(|(target, &port)| snapshot.port_of(&target.key) == Some(port)))
}
