//! Waiters get a port after its present holder, however fast that comes back.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::TempStore;

const WAITERS: usize = 4;
/// How long the holder uses the port each time: the load.
const HOLD: Duration = Duration::from_millis(30);

#[test]
fn a_holder_that_comes_back_at_once_leaves_the_port_to_the_waiters() {
    let store = TempStore::new();
    store.forward_port(&store.api, 0).unwrap();
    let (holds, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let guard = store.guard(&store.api).unwrap();
                holds.fetch_add(1, Ordering::Relaxed);
                thread::sleep(HOLD);
                drop(guard);
            }
        });
        while holds.load(Ordering::Relaxed) == 0 {
            thread::yield_now();
        }
        let waiters: Vec<_> = (0..WAITERS)
            .map(|_| {
                let ports = store.reopened();
                let (id, holds) = (&store.api, &holds);
                scope.spawn(move || {
                    let before = holds.load(Ordering::Relaxed);
                    drop(ports.guard(id).unwrap());
                    holds.load(Ordering::Relaxed) - before
                })
            })
            .collect();
        for waiter in waiters {
            let passed = waiter.join().unwrap();
            assert!(passed <= WAITERS + 1, "after {passed} holds of the other");
        }
        over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn the_mark_of_a_waiter_that_gave_up_is_no_obstacle() {
    let store = TempStore::new();
    let guard = store.guard(&store.api).unwrap();
    let request = store.request(&store.api).timeout(Duration::from_millis(30));
    request.guard().unwrap_err();
    // The mark is behind the record, which is read as before.
    let holder = store.reopened().assignments().unwrap()[0].holder().cloned();
    assert_eq!(holder.unwrap().pid(), Some(std::process::id()));
    drop(guard);
    for _ in 0..3 {
        let request = store.request(&store.api).timeout(Duration::ZERO);
        drop(request.guard().unwrap());
    }
}
