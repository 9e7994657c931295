//! Ports without an id.

use std::collections::BTreeMap;

use super::forget;
use super::hold::of_group;
use super::pool::{exhausted, largest, never_companions, pool};
use super::refused::{at_localhost, refused};
use crate::ask::{Ask, Subject};
use crate::context::Context;
use crate::error::{Cause, Error};
use crate::files::Access;
use crate::guard::{Held, Hold, PortGuard};
use crate::ports::PortSet;
use crate::socket::Probe;
use crate::store::Store;

/// A guard for `first` or the next port that is free, without an id and an assignment; for 0, for any port of the pool.
pub(crate) fn available_port(context: &Context, first: u16) -> Result<PortGuard, Error> {
    if first == 0 {
        let mut guards = any(context, &Ask::of(Subject::Any))?;
        return Ok(guards.remove(0));
    }
    let store = &context.store;
    let access = store.access_or_make()?;
    tidy(store)?;
    let probe = Probe::default();
    for port in first..=u16::MAX {
        if store.snapshot()?.id_of(port).is_some() {
            continue;
        }
        let Some(lease) = store.leases().try_take(port, None, access)? else {
            continue;
        };
        // It is assigned to no id while its lease is ours, but may have been at the last moment before.
        if store.snapshot()?.id_of(port).is_some() {
            continue;
        }
        let is_free = probe.can_be_bound(port);
        if !is_free.map_err(|source| refused(None, at_localhost(port), source))? {
            continue;
        }
        match Hold::bind(&[at_localhost(port)], false) {
            Ok(hold) => return Ok(PortGuard::new(None, hold, lease)),
            Err(taken) if taken.is_taken() => {}
            Err(other) => return Err(refused(None, other.addr, other.source)),
        }
    }
    Err(Cause::NoneAbove { first }.into())
}

const CLEAN_UP: u32 = 64;

/// Each time in so many, the lease files of ports without an id are removed.
fn tidy(store: &Store) -> Result<(), Error> {
    if fastrand::u32(..CLEAN_UP) == 0 {
        forget::remove_strays(store)?;
    }
    Ok(())
}

/// How many ports are tried at random before all are, one by one.
const SAMPLES: usize = 32;

/// Guards for free ports of the pool, from a random place on: as many as the block has.
pub(super) fn any(context: &Context, ask: &Ask) -> Result<Vec<PortGuard>, Error> {
    let store = &context.store;
    let access = store.access_or_make()?;
    tidy(store)?;
    let snapshot = store.snapshot()?;
    let pool = pool(context, ask);
    let attempt = Attempt::new(store, ask, pool, access);
    // The first will do as a rule, and to list all that are left takes longer than all the rest.
    for _ in 0..SAMPLES {
        if let Some(port) = pool.choose_random()
            && snapshot.id_of(port).is_none()
            && let Tried::Yours(guards) = attempt.at(port)?
        {
            return Ok(guards);
        }
    }
    let assigned: PortSet = snapshot.iter().map(|(_, port)| port).collect();
    let free: Vec<u16> = pool.difference(&assigned).into_iter().collect();
    let first = fastrand::usize(..free.len().max(1)).min(free.len());
    let (mut leased, mut occupied) = (0, 0);
    for &port in free[first..].iter().chain(&free[..first]) {
        match attempt.at(port)? {
            Tried::Yours(guards) => return Ok(guards),
            Tried::Leased => leased += 1,
            Tried::Occupied => occupied += 1,
        }
    }
    let assigned = pool.len() - free.len();
    let probe = Probe::default();
    let largest = largest(ask, pool, |port| {
        let is_free = snapshot.id_of(port).is_none()
            && store.leases().holder(port, access)?.is_none()
            && probe.can_be_bound(port).unwrap_or_default();
        Ok(is_free)
    })?;
    Err(exhausted(
        context,
        ask,
        [assigned, leased, occupied],
        largest,
    ))
}

enum Tried {
    Yours(Vec<PortGuard>),
    Leased,
    Occupied,
}

/// What it takes to try for ports.
struct Attempt<'a> {
    store: &'a Store,
    ask: &'a Ask,
    pool: &'a PortSet,
    access: Access,
    /// Which ports are no companions.
    ephemeral: PortSet,
}

impl<'a> Attempt<'a> {
    fn new(store: &'a Store, ask: &'a Ask, pool: &'a PortSet, access: Access) -> Self {
        Self {
            store,
            ask,
            pool,
            access,
            ephemeral: never_companions(ask),
        }
    }

    /// Takes the port, and all that go with it.
    fn at(&self, first: u16) -> Result<Tried, Error> {
        if self.ask.group.is_single() {
            return Ok(match self.take(first)? {
                Ok((hold, lease)) => Tried::Yours(vec![PortGuard::new(None, hold, lease)]),
                Err(tried) => tried,
            });
        }
        let mut held = BTreeMap::new();
        for offset in self.ask.group.offsets() {
            let Some(port) = first.checked_add(offset) else {
                return Ok(Tried::Occupied);
            };
            let is_fit = if offset < self.ask.group.block {
                self.pool.contains(port)
            } else {
                !self.ephemeral.contains(port)
            };
            if !is_fit || offset > 0 && self.store.snapshot()?.id_of(port).is_some() {
                return Ok(Tried::Occupied);
            }
            match self.take(port)? {
                Ok(own) => held.insert(offset, own),
                Err(tried) => return Ok(tried),
            };
        }
        Ok(Tried::Yours(of_group(self.ask, held)))
    }

    fn take(&self, port: u16) -> Result<Result<Held, Tried>, Error> {
        let Some(lease) = self.store.leases().try_take(port, None, self.access)? else {
            return Ok(Err(Tried::Leased));
        };
        match Hold::bind(&self.ask.host.addrs(port), self.ask.udp) {
            Ok(hold) => Ok(Ok((hold, lease))),
            Err(taken) if taken.is_taken() => Ok(Err(Tried::Occupied)),
            Err(other) => Err(refused(None, other.addr, other.source)),
        }
    }
}
