//! By what right a port is a guard's, and how long.

use std::process;
use std::sync::{Arc, Weak};

use crate::error::Error;
use crate::lease::Lease;

/// By what right the port is the guard's.
#[derive(Debug)]
pub(crate) enum Ownership {
    /// The leases of the port and of its companions.
    Leased(Lease, Vec<Lease>),
    /// This process was started with the socket: the lease is its starter's.
    Inherited { process: u32 },
}

/// A share in the right to a port: the guard has one, and each server on it. It lasts until the last of them has ended,
/// in whichever order they are dropped.
#[derive(Debug, Clone)]
pub(crate) struct Tenancy(Option<Arc<Ownership>>);

impl Tenancy {
    /// For those that may become tenants as well.
    pub(super) fn downgrade(&self) -> Weak<Ownership> {
        self.0.as_ref().map(Arc::downgrade).unwrap_or_default()
    }

    /// A further share, if there is one still.
    pub(super) fn upgrade(ownership: &Weak<Ownership>) -> Option<Self> {
        ownership.upgrade().map(|ownership| Self(Some(ownership)))
    }

    pub(crate) fn new(ownership: Ownership) -> Self {
        Self(Some(Arc::new(ownership)))
    }

    /// Whether it is this process's, and not the parent's that it was forked from.
    pub(crate) fn is_ours(&self) -> bool {
        match self.0.as_deref() {
            Some(Ownership::Leased(lease, _)) => lease.is_ours(),
            Some(Ownership::Inherited { process }) => *process == process::id(),
            None => false,
        }
    }

    /// Ends the share. The last one gives the lease up.
    ///
    /// # Errors
    ///
    /// When the system cannot unlock the lease.
    pub(crate) fn end(&mut self) -> Result<(), Error> {
        match self.0.take().and_then(Arc::into_inner) {
            Some(Ownership::Leased(mut lease, companions)) => (companions.into_iter())
                .fold(lease.release(), |ended, mut companion| {
                    ended.and(companion.release())
                }),
            Some(Ownership::Inherited { .. }) | None => Ok(()),
        }
    }

    /// The thread or task that took the lease keeps it.
    pub(crate) fn stays(&self) {
        if let Some(Ownership::Leased(lease, companions)) = self.0.as_deref() {
            lease.stays();
            companions.iter().for_each(Lease::stays);
        }
    }

    #[cfg(all(unix, feature = "cli"))]
    pub(crate) fn locks(&self) -> Vec<&crate::lease::Lock> {
        match self.0.as_deref() {
            Some(Ownership::Leased(lease, companions)) => [lease]
                .into_iter()
                .chain(companions)
                .map(Lease::lock)
                .collect(),
            Some(Ownership::Inherited { .. }) | None => Vec::new(),
        }
    }
}
