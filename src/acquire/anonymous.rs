//! Ports without an id.

use std::net::SocketAddr;

use super::assign::pool;
use super::forget;
use super::refused::{UNPRIVILEGED, at_localhost, refused};
use crate::ask::Ask;
use crate::context::Context;
use crate::error::{Cause, Error};
use crate::guard::{Hold, PortGuard};
use crate::ports::PortSet;
use crate::socket;

/// A guard for `first` or the next port that is free, without an id and an assignment.
pub(crate) fn available_port(context: &Context, first: u16) -> Result<PortGuard, Error> {
    // Under the store's lock: no other process assigns a port that we are about to take.
    let change = context.store.begin(context.config.timeout)?;
    let is_free = |port| {
        socket::can_be_bound(port).map_err(|source| refused(None, at_localhost(port), source))
    };
    let first = if first == 0 { UNPRIVILEGED } else { first };
    for port in first..=u16::MAX {
        if change.snapshot().id_of(port).is_some() || !is_free(port)? {
            continue;
        }
        let Some(lease) = context
            .store
            .leases()
            .try_take(port, None, change.access())?
        else {
            continue;
        };
        match Hold::bind(&[at_localhost(port)], false) {
            Ok(hold) => {
                return Ok(PortGuard::new(None, hold, lease));
            }
            Err(taken) if taken.is_taken() => {}
            Err(other) => return Err(refused(None, other.addr, other.source)),
        }
    }
    Err(Cause::NoneAbove { first }.into())
}

/// How often the lease files of ports without an id are removed: each time in so many.
const CLEAN_UP: u32 = 64;

/// A guard for a free port of the pool, from a random place on.
pub(super) fn any(context: &Context, ask: &Ask) -> Result<PortGuard, Error> {
    let store = &context.store;
    let access = store.access_or_make()?;
    if fastrand::u32(..CLEAN_UP) == 0 {
        forget::remove_strays(store)?;
    }
    let snapshot = store.snapshot()?;
    let assigned: PortSet = snapshot.iter().map(|(_, port)| port).collect();
    let pool = pool(context, ask);
    let free: Vec<u16> = pool.difference(&assigned).into_iter().collect();
    let first = fastrand::usize(..free.len().max(1));
    let (mut leased, mut occupied) = (0, 0);
    for &port in free[first.min(free.len())..]
        .iter()
        .chain(&free[..first.min(free.len())])
    {
        let Some(lease) = store.leases().try_take(port, None, access)? else {
            leased += 1;
            continue;
        };
        let addrs: Vec<_> = (ask.host.ips().iter())
            .map(|&ip| SocketAddr::new(ip, port))
            .collect();
        match Hold::bind(&addrs, ask.udp) {
            Ok(hold) => return Ok(PortGuard::new(None, hold, lease)),
            Err(refused) if refused.is_taken() => occupied += 1,
            Err(other) => return Err(refused(None, other.addr, other.source)),
        }
    }
    Err(Cause::Exhausted {
        id: None,
        considered: pool.len(),
        assigned: pool.len() - free.len(),
        held: leased,
        taken: occupied,
        store: store.path().to_owned(),
    }
    .into())
}
