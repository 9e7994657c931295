//! A hold that its guard and the servers on its port share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::hold::{Hold, State};

/// A hold that its guard and the server on its port both know: when the server fails to start, the port is held again.
#[derive(Debug)]
pub(crate) struct SharedHold(Arc<Mutex<Hold>>);

impl SharedHold {
    pub(crate) fn new(hold: Hold) -> Self {
        Self(Arc::new(Mutex::new(hold)))
    }

    pub(super) fn of(hold: Arc<Mutex<Hold>>) -> Self {
        Self(hold)
    }

    pub(super) fn downgrade(&self) -> Weak<Mutex<Hold>> {
        Arc::downgrade(&self.0)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Hold> {
        // A panic between two steps leaves sockets that are less held than the state says, and calls that fail.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For the server, which must not keep the port from others once the guard is gone.
    pub(crate) fn for_server(&self) -> HoldOfServer {
        let mut hold = self.lock();
        hold.servers += 1;
        HoldOfServer {
            hold: Arc::downgrade(&self.0),
            nth: hold.servers,
        }
    }
}

/// What a server knows of its guard's hold.
#[derive(Debug)]
pub(crate) struct HoldOfServer {
    hold: Weak<Mutex<Hold>>,
    nth: u64,
}

impl HoldOfServer {
    pub(crate) fn downgrade(&self) -> Weak<Mutex<Hold>> {
        Weak::clone(&self.hold)
    }

    /// Holds the port again; false when that did not go, another server was started on it meanwhile, or the guard is
    /// gone.
    pub(crate) fn rearm(&self) -> bool {
        self.hold.upgrade().is_some_and(|hold| {
            let mut hold = hold.lock().unwrap_or_else(PoisonError::into_inner);
            hold.servers == self.nth && hold.rearm().is_ok()
        })
    }

    /// Does something with the hold; none if the guard is gone.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Hold) -> T) -> Option<T> {
        let hold = self.hold.upgrade()?;
        let mut hold = hold.lock().unwrap_or_else(PoisonError::into_inner);
        Some(act(&mut hold))
    }

    /// Whether a server that binds by itself must share the port with a socket of ours.
    pub(crate) fn is_bound(&self) -> bool {
        cfg!(target_os = "linux")
            && self.hold.upgrade().is_some_and(|hold| {
                let hold = hold.lock().unwrap_or_else(PoisonError::into_inner);
                hold.state() == State::Vacated
            })
    }
}
