//! The other ports of a block, as a guard of one of them knows them.

use std::io;
use std::sync::{Mutex, Weak};

use super::hold::{Hold, State};
use super::ownership::{Ownership, Tenancy};
use super::shared_hold::{HoldOfServer, SharedHold};
use crate::lease::Lease;

/// A port that is leased and held.
pub(crate) type Held = (Hold, Lease);

/// A port of the same block, for as long as its guard lives.
#[derive(Debug)]
pub(super) struct Sibling {
    /// Its number, and its companions'.
    ports: Vec<u16>,
    hold: Weak<Mutex<Hold>>,
    ownership: Weak<Ownership>,
}

/// A sibling's port that a server has beside its own.
#[derive(Debug)]
pub(crate) struct Beside {
    pub(crate) hold: HoldOfServer,
    pub(crate) tenancy: Tenancy,
}

impl Sibling {
    pub(super) fn new(ports: Vec<u16>, hold: &SharedHold, tenancy: &Tenancy) -> Self {
        Self {
            ports,
            hold: hold.downgrade(),
            ownership: tenancy.downgrade(),
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.ports[0]
    }

    pub(super) fn has_one_of(&self, ports: &[u16]) -> bool {
        self.ports.iter().any(|port| ports.contains(port))
    }

    /// Vacates it for a server.
    pub(super) fn vacate(&self) -> io::Result<Beside> {
        let (hold, tenancy) = (self.hold.upgrade())
            .zip(Tenancy::upgrade(&self.ownership))
            .ok_or_else(|| io::Error::other("its guard is gone"))?;
        let hold = SharedHold::of(hold);
        {
            let mut hold = hold.lock();
            match hold.state() {
                State::Held => hold.mark_and_vacate()?,
                State::Vacated | State::Closed => {}
                state @ (State::Taken | State::Given) => {
                    return Err(io::Error::other(state.describe()));
                }
            }
        }
        Ok(Beside {
            hold: hold.for_server(),
            tenancy,
        })
    }
}
