//! The listening socket on a leased port, and what to do about a stranger who has it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use super::assign;
use super::choose::choose_other;
use super::refused::refused;
use super::target::{Place, Target};
use super::tell::{PATIENCE, say, tell};
use crate::ask::{Ask, OnBusy};
use crate::context::Context;
use crate::error::{Cause, Error, ErrorKind};
use crate::group::member;
use crate::guard::{self, Held, Hold, PortGuard, Refused};
use crate::lease::Lease;
use crate::server;
use crate::text::Subject;
use crate::wait::Wait;
use crate::who::{Occupants, Protocol};

/// Guards, each with the number of its ask; none when an id was moved to another port, and all has to begin again.
pub(super) async fn all(
    context: &Context,
    places: &[Place<'_>],
    leases: Vec<Lease>,
    wait: &mut Wait,
) -> Result<Option<Vec<(usize, PortGuard)>>, Error> {
    let mut guards = Vec::with_capacity(places.len());
    // What is held of the groups, of which the ports of one need not stand side by side.
    let mut groups: BTreeMap<usize, (&Target<'_>, BTreeMap<u16, Held>)> = BTreeMap::new();
    for (place, lease) in places.iter().zip(leases) {
        let Some(hold) = hold(context, place, &lease, wait).await? else {
            return Ok(None);
        };
        let target = place.target;
        if target.ask.group.is_single() {
            let id = target.ask.id().map(str::to_owned);
            guards.push((target.nth, PortGuard::new(id, hold, lease)));
        } else {
            let (_, group) = groups
                .entry(target.nth)
                .or_insert((target, BTreeMap::new()));
            group.insert(place.offset, (hold, lease));
        }
    }
    for (nth, (target, held)) in groups {
        let block = of_group(target.ask, held).into_iter();
        guards.extend(block.map(|guard| (nth, guard)));
    }
    Ok(Some(guards))
}

/// A guard for each port of the block; each has its companions. What is held is known by its distance from the first port.
pub(super) fn of_group(ask: &Ask, mut held: BTreeMap<u16, Held>) -> Vec<PortGuard> {
    let mut take = |offset| held.remove(&offset).expect("every port of a group is held");
    let mut guards: Vec<_> = (0..ask.group.block)
        .map(|nth| {
            let id = ask.id().map(|id| member(id, nth).into_owned());
            let own = take(nth);
            let companions = ask.group.companions.iter();
            let companions = companions.map(|offset| take(nth + offset)).collect();
            PortGuard::with_companions(id, own, companions)
        })
        .collect();
    PortGuard::join(&mut guards);
    guards
}

/// The listening socket, waited for while a stranger listens there; none when the id was moved instead.
async fn hold(
    context: &Context,
    place: &Place<'_>,
    lease: &Lease,
    wait: &mut Wait,
) -> Result<Option<Hold>, Error> {
    let (target, port) = (place.target, place.port);
    let (ask, key) = (target.ask, place.key());
    let addrs = ask.host.addrs(port);
    let mut obstacle = Obstacle::new(place.name(), Some(context.store.path()));
    loop {
        let taken = match Hold::bind(&addrs, ask.udp) {
            Ok(hold) => {
                if obstacle.told {
                    lease.waits_for(key.as_deref(), None)?;
                }
                return Ok(Some(hold));
            }
            Err(taken) if taken.is_taken() => taken,
            Err(other) => return Err(refused(ask.id(), other.addr, other.source)),
        };
        if ask.on_busy == OnBusy::Reap {
            for ended in server::reap(taken.protocol, port) {
                tell(&format!(
                    "ended {ended}, which an earlier run had left on port {port}"
                ));
            }
        }
        let moves = ask.on_busy == OnBusy::Move && ask.id().is_some() && !ask.is_exact();
        if moves && (wait.is_over() || obstacle.met.elapsed() >= closing_time(target)) {
            move_away(context, place, taken.protocol, wait).await?;
            return Ok(None);
        }
        let told = obstacle.outlast(target, taken, wait).await?;
        if let Some(occupants) = told {
            lease.waits_for(key.as_deref(), Some(&occupants.to_string()))?;
        }
    }
}

/// How long the last user of a port may still be closing it, before an id is moved for good: a server needs its time to
/// end. Of an id that was made up any port will do, but a process that was just forked keeps copies of its sockets until
/// it runs its program.
fn closing_time(target: &Target<'_>) -> Duration {
    if target.ask.is_made_up {
        Duration::from_millis(20)
    } else {
        Duration::from_secs(1)
    }
}

/// A stranger who has a port without a lease.
pub(super) struct Obstacle<'a> {
    /// What people call the port.
    name: Option<Cow<'a, str>>,
    /// Where the id can be released to have another port.
    store: Option<&'a Path>,
    /// When it was met: a lease may have been waited for before. The last holder may still be closing its server's
    /// socket, and is no stranger yet.
    met: Instant,
    told: bool,
    looked_for_own: bool,
}

impl<'a> Obstacle<'a> {
    pub(super) fn new(name: Option<Cow<'a, str>>, store: Option<&'a Path>) -> Self {
        Self {
            name,
            store,
            met: Instant::now(),
            told: false,
            looked_for_own: false,
        }
    }

    /// Waits for a moment, and says after a while for what, once: then it is returned.
    ///
    /// # Errors
    ///
    /// [`Occupied`](ErrorKind::Occupied) when the time is up.
    pub(super) async fn outlast(
        &mut self,
        target: &Target<'_>,
        taken: Refused,
        wait: &mut Wait,
    ) -> Result<Option<Occupants>, Error> {
        let id = self.name.as_deref();
        let (port, protocol) = (taken.addr.port(), taken.protocol);
        // A runtime that is just ending closes its listeners by then.
        let mut left_by = None;
        if !self.looked_for_own && self.met.elapsed() >= PATIENCE {
            self.looked_for_own = true;
            left_by = left(&taken);
        }
        let mut told = None;
        if !self.told && left_by.is_none() && self.met.elapsed() >= PATIENCE {
            let occupants = Occupants::of(protocol, port);
            say(
                &format!("{} cannot be held: {occupants}", Subject(id, port)),
                target,
                wait,
            );
            self.told = true;
            told = Some(occupants);
        }
        if left_by.is_none() && wait.rest().await {
            return Ok(told);
        }
        Err(Cause::Occupied {
            id: id.map(str::to_owned),
            port,
            key: (self.store.zip(target.key()))
                .map(|(store, key)| (store.to_owned(), key.to_owned())),
            // Before the look at all processes, which can take a while.
            waited: wait.elapsed(),
            occupants: Occupants::of(protocol, port),
            left_by: left_by.or_else(|| left(&taken)),
            source: taken.source,
        }
        .into())
    }
}

/// The test of this process whose listener is in the way, and whose guard is gone.
fn left(taken: &Refused) -> Option<String> {
    match taken.protocol {
        Protocol::Tcp => guard::left_by(taken.addr),
        Protocol::Udp => None,
    }
}

/// Assigns another port to an id whose lease we have and whose port a stranger has.
async fn move_away(
    context: &Context,
    place: &Place<'_>,
    protocol: Protocol,
    wait: &mut Wait,
) -> Result<(), Error> {
    match try_move(context, place, protocol, wait).await {
        Err(error) if error.kind() == ErrorKind::Exhausted => {
            assign::make_room(context, &[place.target], wait, error).await?;
            try_move(context, place, protocol, wait).await
        }
        done => done,
    }
}

async fn try_move(
    context: &Context,
    place: &Place<'_>,
    protocol: Protocol,
    wait: &mut Wait,
) -> Result<(), Error> {
    let (target, port) = (place.target, place.port);
    let first = port - place.offset;
    let mut change = context.store.begin_within(wait).await?;
    if change.snapshot().port_of(&target.key) == Some(first) {
        // Still among the assigned, and occupied: it will not be chosen again.
        let other = choose_other(context, &change, target)?;
        assign::give(&mut change, target, other);
        change.commit()?;
        let occupants = Occupants::of(protocol, port);
        let id = target.ask.id().unwrap_or_default();
        tell(&format!(
            "`{id}` has port {other} from now on; {port} was taken: {occupants}"
        ));
    }
    Ok(())
}
