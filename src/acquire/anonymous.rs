//! A port without an id.

use super::refused::{UNPRIVILEGED, at_localhost, refused};
use crate::context::Context;
use crate::error::{Cause, Error};
use crate::guard::{Hold, PortGuard};
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
        let Some(lease) = context.store.leases().try_take(port, change.access())? else {
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
