//! Forgetting assignments.

use crate::error::{Cause, Error};
use crate::holder::Holder;
use crate::port_for::PortFor;
use crate::wait::Wait;

/// Forgets the port of `id`, unless somebody holds it.
pub(crate) fn release(port_for: &PortFor, id: &str) -> Result<Option<u16>, Error> {
    let key = port_for.key(id)?;
    let store = port_for.store();
    if store.snapshot()?.port_of(&key).is_none() {
        return Ok(None);
    }
    let mut change = store.begin(port_for.config().timeout)?;
    let Some(port) = change.snapshot().port_of(&key) else {
        return Ok(None);
    };
    let mut wait = Wait::glance();
    let lease = loop {
        if let Some(lease) = store.leases().try_take(port, change.access())? {
            break lease;
        }
        if !wait.pause() {
            let lease = store.leases().path(port);
            return Err(Cause::Busy {
                id: id.to_owned(),
                port,
                holder: Holder::read(&lease),
                waited: wait.elapsed(),
                lease,
            }
            .into());
        }
    };
    change.remove(&key);
    change.commit()?;
    // Under both locks: whoever waits for the lease notices that its file is gone.
    lease.remove()?;
    Ok(Some(port))
}
