//! The whole story, from what is asked for to guards.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::ask::{Ask, Subject};
use crate::context::Context;
use crate::error::{Cause, Error};
use crate::guard::PortGuard;
use crate::lease::{Asker, Lease, Newcomer, record};
use crate::server;
use crate::text::Subject as Subjected;
use crate::wait::{Wait, Waiter, without_pending};

mod adopt;
mod anonymous;
mod assign;
mod choose;
pub(crate) mod forget;
mod hold;
mod known;
mod pool;
mod refused;
mod target;
mod tell;

pub(crate) use anonymous::available_port;
pub(crate) use assign::numbers;
#[cfg(feature = "cli")]
pub(crate) use forget::prune_gone;
use target::{Place, Target, longest, targets};
use tell::{PATIENCE, say};

/// How long a newcomer leaves the port to earlier waiters, which look every two milliseconds.
const TURN: Duration = Duration::from_millis(5);

/// Makes all the ports that are asked for yours, or none. Each ask has as many guards as its block has ports.
pub(crate) fn guards(context: &Arc<Context>, asks: &[Ask]) -> Result<Vec<PortGuard>, Error> {
    without_pending(guards_for(Waiter::Thread, context, asks))
}

/// The whole acquisition, for threads and for tasks: only the waiting differs.
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
        let named: Vec<_> = (wanted.iter().copied())
            .filter(|target| target.ask.id().is_some())
            .collect();
        let ports = if let Some(ports) = assign::last_read(context, &named) {
            ports
        } else {
            let left = longest(targets.iter().map(|target| target.timeout)).max(Wait::GLANCE);
            let mut for_store = Wait::of(waiter, left.saturating_sub(wait.elapsed()));
            assign::assign(context, &named, &mut for_store).await?
        };
        let mut places = Vec::with_capacity(wanted.len());
        for (target, first) in named.into_iter().zip(ports) {
            target.add_places(first, &mut places)?;
        }
        for target in &wanted {
            if let Subject::Port(first) = target.ask.subject {
                pool::warn_if_ephemeral(first);
                target.add_places(first, &mut places)?;
            }
        }
        // 2. Ours alone. In the order of the ports, so that two who want the same ones never wait for each other.
        places.sort_unstable_by_key(|place| place.port);
        if let Some(pair) = places.windows(2).find(|pair| pair[0].port == pair[1].port) {
            let (id, port) = (pair[0].name().map(Cow::into_owned), Some(pair[0].port));
            return Err(Cause::Twice { id, port }.into());
        }
        let mut leases = Vec::with_capacity(places.len());
        for place in &places {
            match lease(context, &places, place, &mut wait).await? {
                Some(lease) => leases.push(lease),
                None => continue 'again,
            }
        }
        // 3. Meanwhile an id may have been released, or moved.
        if !still_assigned(context, &places)? {
            continue;
        }
        // 4. Held.
        let Some(mut guards) = hold::all(context, &places, leases, &mut wait).await? else {
            continue;
        };
        if !adopt::all(&inherited, &mut guards, &mut wait).await? {
            continue;
        }
        // 5. Any port will do: nothing is waited for.
        for target in wanted
            .iter()
            .filter(|target| target.ask.subject == Subject::Any)
        {
            let block = anonymous::any(context, target.ask)?;
            guards.extend(block.into_iter().map(|guard| (target.nth, guard)));
        }
        break guards;
    };
    // Those of a block are in order already, and stay so.
    guards.sort_by_key(|&(nth, _)| nth);
    let mut guards: Vec<_> = guards.into_iter().map(|(_, guard)| guard).collect();
    for guard in &mut guards {
        guard.set_neighbours(Arc::clone(context) as _);
    }
    Ok(guards)
}

/// For callers that know how many ports they asked for, each by itself.
pub(crate) fn array<const N: usize>(guards: Vec<PortGuard>) -> [PortGuard; N] {
    guards
        .try_into()
        .expect("there is one guard for each port that was asked for")
}

/// The lease of a place, waited for while another holder has it; none when one of the places is not its id's any more.
async fn lease(
    context: &Context,
    places: &[Place<'_>],
    place: &Place<'_>,
    wait: &mut Wait,
) -> Result<Option<Lease>, Error> {
    let (target, port) = (place.target, place.port);
    let store = &context.store;
    let leases = store.leases();
    let access = store.access_or_make()?;
    let (began, mut told) = (Instant::now(), false);
    let (key, id) = (place.key(), place.name());
    let (key, id) = (key.as_deref(), id.as_deref());
    // Without this, a holder that asks again at once would always beat the waiters.
    let others_first = match leases.try_take_as_newcomer(port, key, access)? {
        Newcomer::Taken(lease) => return Ok(Some(lease)),
        Newcomer::Held => Duration::ZERO,
        Newcomer::NotFirst => TURN,
    };
    loop {
        // Once the time is up, there is one more try.
        let is_last = wait.is_over();
        if (is_last || began.elapsed() >= others_first)
            && let Some(lease) = leases.try_take(port, key, access)?
        {
            return Ok(Some(lease));
        }
        // Or the wait would be for another id that has the port by now.
        if !still_assigned(context, places)? {
            return Ok(None);
        }
        if wait.is_all_the_waiter_does() && leases.asker(port) == Asker::KeepsIt {
            let id = id.map(str::to_owned);
            return Err(Cause::Deadlock { id, port }.into());
        }
        if !told && began.elapsed() >= PATIENCE {
            // The holder of a moment ago may be gone by now: then there is nothing to tell.
            if let Some(holder) = leases.holder(port, access)? {
                say(
                    &format!(
                        "{} is held by {holder}{}",
                        Subjected(id, port),
                        match leases.asker(port) {
                            Asker::Other => "",
                            _ => "; this thread or task took it itself",
                        }
                    ),
                    target,
                    wait,
                );
                told = true;
            }
        }
        leases.wait_for(port, access)?;
        if !wait.rest().await && is_last {
            return Err(Cause::Busy {
                id: id.map(str::to_owned),
                port,
                holder: record::read(&leases.path(port)),
                server: server::left_on(port),
                waited: wait.elapsed(),
                lease: leases.path(port),
                advice: match leases.asker(port) {
                    _ if server::left_on(port).is_some() => "stop that server, or drop it",
                    Asker::Other => target.advice_to_wait(),
                    _ => "this thread or task took it itself: drop that guard first, or use it",
                },
            }
            .into());
        }
    }
}

fn still_assigned(context: &Context, places: &[Place<'_>]) -> Result<bool, Error> {
    let snapshot = context.store.snapshot()?;
    // One port of a group stands for all.
    let mut named =
        (places.iter()).filter(|place| place.offset == 0 && place.target.key().is_some());
    Ok(named.all(|place| known::port_of(&snapshot, place.target) == Some(place.port)))
}
