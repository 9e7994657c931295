//! Assignments that last, whatever happens to the store meanwhile.

use std::fs;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, SystemTime};

use port_for::{ErrorKind, OnBusy};

use crate::support::TempStore;

#[test]
fn a_number_that_was_returned_is_in_the_store_whatever_prune_does_at_that_moment() {
    const HOUR: Duration = Duration::from_secs(3600);
    let store = TempStore::new();
    for round in 0..300 {
        let port = store.forward_port(&store.api, 0).unwrap();
        let lease = fs::File::options()
            .write(true)
            .open(store.lease(port))
            .unwrap();
        lease.set_modified(SystemTime::now() - 2 * HOUR).unwrap();
        let (start, ports) = (Barrier::new(2), store.reopened());
        let returned = thread::scope(|scope| {
            scope.spawn(|| {
                start.wait();
                ports.prune(HOUR).unwrap();
            });
            start.wait();
            store.forward_port(&store.api, 0).unwrap()
        });
        let kept = store.reopened().assignments().unwrap();
        assert_eq!(kept.len(), 1, "round {round}");
        assert_eq!(kept[0].port(), returned, "round {round}");
    }
}

#[test]
fn a_store_that_is_lost_while_a_guard_lives_gives_its_id_to_no_second_one() {
    let store = TempStore::new();
    let guard = store.guard(&store.api).unwrap();
    fs::remove_file(store.path()).unwrap();
    let again = store.reopened();
    let error = again
        .request(&store.api)
        .on_busy(OnBusy::Fail)
        .guard()
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.port()),
        (ErrorKind::Busy, Some(guard.port()))
    );
    // Nor its port to another id.
    let pool = [guard.port()].into();
    let other = again.request("another").ports(pool).assign().unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Exhausted);
    let port = guard.port();
    drop(guard);
    assert_eq!(again.guard(&store.api).unwrap().port(), port);
}
