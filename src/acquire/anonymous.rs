//! Ports without an id.

use super::assign::{exhausted, pool};
use super::forget;
use super::refused::{at_localhost, refused};
use crate::ask::{Ask, Subject};
use crate::context::Context;
use crate::error::{Cause, Error};
use crate::files::Access;
use crate::guard::{Hold, PortGuard};
use crate::ports::PortSet;
use crate::socket::Probe;
use crate::store::Store;

/// A guard for `first` or the next port that is free, without an id and an assignment; for 0, for any port of the pool.
pub(crate) fn available_port(context: &Context, first: u16) -> Result<PortGuard, Error> {
    if first == 0 {
        return any(context, &Ask::of(Subject::Any));
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

/// A guard for a free port of the pool, from a random place on.
pub(super) fn any(context: &Context, ask: &Ask) -> Result<PortGuard, Error> {
    let store = &context.store;
    let access = store.access_or_make()?;
    tidy(store)?;
    let snapshot = store.snapshot()?;
    let pool = pool(context, ask);
    // The first will do as a rule, and to list all that are left takes longer than all the rest.
    for _ in 0..SAMPLES {
        if let Some(port) = pool.choose_random()
            && snapshot.id_of(port).is_none()
            && let Tried::Yours(guard) = try_port(store, ask, port, access)?
        {
            return Ok(guard);
        }
    }
    let assigned: PortSet = snapshot.iter().map(|(_, port)| port).collect();
    let free: Vec<u16> = pool.difference(&assigned).into_iter().collect();
    let first = fastrand::usize(..free.len().max(1)).min(free.len());
    let (mut leased, mut occupied) = (0, 0);
    for &port in free[first..].iter().chain(&free[..first]) {
        match try_port(store, ask, port, access)? {
            Tried::Yours(guard) => return Ok(guard),
            Tried::Leased => leased += 1,
            Tried::Occupied => occupied += 1,
        }
    }
    let assigned = pool.len() - free.len();
    Err(exhausted(context, ask, [assigned, leased, occupied]))
}

enum Tried {
    Yours(PortGuard),
    Leased,
    Occupied,
}

fn try_port(store: &Store, ask: &Ask, port: u16, access: Access) -> Result<Tried, Error> {
    let Some(lease) = store.leases().try_take(port, None, access)? else {
        return Ok(Tried::Leased);
    };
    let addrs = ask.host.addrs(port);
    match Hold::bind(&addrs, ask.udp) {
        Ok(hold) => Ok(Tried::Yours(PortGuard::new(None, hold, lease))),
        Err(taken) if taken.is_taken() => Ok(Tried::Occupied),
        Err(other) => Err(refused(None, other.addr, other.source)),
    }
}
