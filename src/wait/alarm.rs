//! Wakers and when to wake them: one thread for all that this process waits for.

use std::process;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread;
use std::time::Instant;

#[derive(Debug)]
struct Alarms {
    /// With the process that the thread is of: a forked child has the list, but no such thread.
    process: u32,
    set: Vec<(Instant, Waker)>,
}

static ALARMS: Mutex<Alarms> = Mutex::new(Alarms {
    process: 0,
    set: Vec::new(),
});
static CHANGED: Condvar = Condvar::new();

/// Has the task woken then; false if no thread can be had for it.
pub(super) fn set(at: Instant, waker: Waker) -> bool {
    let mut alarms = lock();
    if alarms.process != process::id() {
        alarms.set.clear();
        let thread = thread::Builder::new().name("port-for waits".to_owned());
        if thread.spawn(ring).is_err() {
            return false;
        }
        alarms.process = process::id();
    }
    alarms.set.push((at, waker));
    CHANGED.notify_one();
    true
}

/// The thread: it sleeps until the first alarm, and rings those whose time has come.
fn ring() {
    let mut alarms = lock();
    loop {
        let now = Instant::now();
        let due: Vec<_> = alarms.set.extract_if(.., |(at, _)| *at <= now).collect();
        if !due.is_empty() {
            // A waker may poll at once, and set an alarm.
            drop(alarms);
            for (_, waker) in due {
                waker.wake();
            }
            alarms = lock();
            continue;
        }
        alarms = match alarms.set.iter().map(|(at, _)| *at).min() {
            Some(first) => {
                let woken = CHANGED.wait_timeout(alarms, first.saturating_duration_since(now));
                woken.unwrap_or_else(PoisonError::into_inner).0
            }
            None => CHANGED.wait(alarms).unwrap_or_else(PoisonError::into_inner),
        };
    }
}

fn lock() -> MutexGuard<'static, Alarms> {
    // The list is whole after every step.
    ALARMS.lock().unwrap_or_else(PoisonError::into_inner)
}
