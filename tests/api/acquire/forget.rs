//! Forgetting what is unused.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use port_for::{ErrorKind, PortFor, PortSet};

use crate::support::TempStore;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Where a process that locks a file cannot tell whether its path still names it.
const LEASES_STAY: bool = cfg!(windows);

/// The ids that are forgotten.
#[track_caller]
fn pruned(store: &TempStore, unused_for: Duration) -> Vec<String> {
    let forgotten = store.prune(unused_for).unwrap();
    forgotten.iter().map(|was| was.id().to_owned()).collect()
}

#[test]
fn what_was_not_used_for_that_long_is_forgotten_and_told() {
    let store = TempStore::new();
    let old = store.forward_port("prune/old", 0).unwrap();
    let new = store.forward_port("prune/new", 0).unwrap();
    store.age(old, 31 * DAY);
    store.age(new, 29 * DAY);

    let forgotten = store.prune(MONTH).unwrap();
    assert_eq!(forgotten.len(), 1);
    assert_eq!((forgotten[0].id(), forgotten[0].port()), ("prune/old", old));
    let ago = forgotten[0].last_used().unwrap().elapsed().unwrap();
    assert!((31 * DAY..32 * DAY).contains(&ago), "{ago:?}");
    assert_eq!(store.ids(), ["prune/new"]);
    assert!(store.lease(new).exists());
    assert_eq!(store.lease(old).exists(), LEASES_STAY);
}

#[test]
fn what_is_held_is_never_forgotten() {
    let store = TempStore::new();
    let guard = store.guard("prune/held").unwrap();
    store.age(guard.port(), 40 * DAY);
    assert!(pruned(&store, MONTH).is_empty());
    assert!(pruned(&store, Duration::ZERO).is_empty());
    assert_eq!(store.ids(), ["prune/held"]);
    drop(guard);
    assert_eq!(pruned(&store, MONTH), ["prune/held"]);
}

#[test]
fn a_number_asked_for_is_a_use() {
    let store = TempStore::new();
    let port = store.forward_port("prune/number", 0).unwrap();
    store.age(port, 40 * DAY);
    assert_eq!(store.forward_port("prune/number", 0).unwrap(), port);
    assert!(pruned(&store, MONTH).is_empty());
}

#[test]
fn a_time_in_the_future_is_now() {
    let store = TempStore::new();
    let port = store.forward_port("prune/future", 0).unwrap();
    store
        .set_last_used(port, SystemTime::now() + 40 * DAY)
        .unwrap();
    assert!(pruned(&store, MONTH).is_empty());
}

#[test]
fn what_has_no_record_of_its_use_is_kept_and_gets_one() {
    let store = TempStore::new();
    let port = store.forward_port("prune/unknown", 0).unwrap();
    fs::remove_file(store.lease(port)).unwrap();
    let all = store.assignments().unwrap();
    assert_eq!(all[0].last_used(), None);

    assert!(pruned(&store, MONTH).is_empty());
    store.age(port, 31 * DAY);
    assert_eq!(pruned(&store, MONTH), ["prune/unknown"]);
}

#[test]
fn lease_files_that_nobody_needs_are_removed_and_others_are_not() {
    let store = TempStore::new();
    let kept = store.forward_port("prune/kept", 0).unwrap();
    // Both at once, or they would be the same one.
    let [stray, held] = [(); 2].map(|()| store.available_port(20_000).unwrap());
    let free = stray.port();
    drop(stray);
    let foreign = store.leases().join("notes.txt");
    fs::write(&foreign, "mine").unwrap();
    assert!(store.lease(free).exists());

    assert!(pruned(&store, MONTH).is_empty());
    // Elsewhere, no lock file is ever removed.
    assert_eq!(store.lease(free).exists(), !cfg!(unix));
    for path in [store.lease(kept), store.lease(held.port()), foreign] {
        assert!(path.exists(), "{}", path.display());
    }
}

#[test]
fn a_store_that_is_not_there_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let ports = PortFor::open(folder.path().join("none/ports.json")).unwrap();
    assert!(ports.prune(Duration::ZERO).unwrap().is_empty());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_store_that_is_damaged_is_left_as_it_is() {
    let store = TempStore::new();
    fs::write(store.path(), "{").unwrap();
    let error = store.prune(Duration::ZERO).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert_eq!(fs::read(store.path()).unwrap(), b"{");
}

/// More than the files that may be open at once, where those are few.
#[test]
fn of_many_all_are_forgotten() {
    let store = TempStore::new();
    let many: BTreeMap<String, u16> = (0..if cfg!(windows) { 300 } else { 3000 })
        .map(|nth| (format!("prune/{nth:04}"), 20_000 + nth))
        .collect();
    store.write(&many);
    let forgotten = pruned(&store, Duration::ZERO);
    assert!(forgotten.iter().eq(many.keys()));
    assert!(store.ids().is_empty());
    let is_empty = fs::read_dir(store.leases()).unwrap().next().is_none();
    assert_eq!(is_empty, !LEASES_STAY);
}

#[test]
fn whoever_takes_a_port_meanwhile_keeps_it() {
    const ENOUGH: usize = 30;
    let store = TempStore::new();
    let deadline = Instant::now() + Duration::from_secs(60);
    let forgotten = AtomicUsize::new(0);
    let goes_on = &|| forgotten.load(Ordering::Relaxed) < ENOUGH && Instant::now() < deadline;
    thread::scope(|scope| {
        for id in ["prune/race/a", "prune/race/b"] {
            let ports = PortFor::open(store.path()).unwrap();
            scope.spawn(move || {
                while goes_on() {
                    let guard = ports.guard(id).unwrap();
                    let all = ports.assignments().unwrap();
                    let found = all.iter().find(|found| found.id() == id).unwrap();
                    assert_eq!(found.port(), guard.port());
                    assert!(found.holder().is_some());
                }
            });
        }
        scope.spawn(|| {
            while goes_on() {
                forgotten.fetch_add(pruned(&store, Duration::ZERO).len(), Ordering::Relaxed);
            }
        });
    });
    assert!(forgotten.into_inner() >= ENOUGH, "the two sides hardly met");
}

mod room {
    use super::*;

    /// Two assignments, and the set of their two ports.
    fn two(store: &TempStore, ids: [&str; 2]) -> ([u16; 2], PortSet) {
        let ports = ids.map(|id| store.forward_port(id, 0).unwrap());
        (ports, PortSet::from(ports))
    }

    #[test]
    fn is_made_where_no_port_is_left() {
        let store = TempStore::new();
        let ([stale, _], pool) = two(&store, ["room/stale", "room/used"]);
        let elsewhere = store.forward_port("room/elsewhere", 0).unwrap();
        store.age(stale, 31 * DAY);
        store.age(elsewhere, 31 * DAY);

        let port = store.request("room/new").ports(pool).assign().unwrap();
        assert_eq!(port, stale);
        // Its port would have been of no help.
        assert_eq!(store.ids(), ["room/elsewhere", "room/new", "room/used"]);
    }

    #[test]
    fn is_not_made_of_what_was_used_within_30_days() {
        let store = TempStore::new();
        let ([port, _], pool) = two(&store, ["room/recent", "room/newer"]);
        store.age(port, 29 * DAY);
        let error = store.request("room/late").ports(pool).assign().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Exhausted);
        assert_eq!(store.ids(), ["room/newer", "room/recent"]);
    }

    #[test]
    fn is_not_made_of_what_is_held() {
        let store = TempStore::new();
        let guard = store.guard("room/held").unwrap();
        store.age(guard.port(), 31 * DAY);
        let pool = PortSet::from([guard.port()]);
        let error = store.request("room/other").ports(pool).guard().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Exhausted);
        assert_eq!(store.ids(), ["room/held"]);
    }

    #[test]
    fn is_made_for_an_id_that_is_moved() {
        let store = TempStore::new();
        let ([stale, moved], pool) = two(&store, ["room/makes-way", "room/moved"]);
        store.age(stale, 31 * DAY);
        let _stranger = std::net::TcpListener::bind(("127.0.0.1", moved)).unwrap();
        let guard = store
            .request("room/moved")
            .ports(pool)
            .on_busy(port_for::OnBusy::Move)
            .guard()
            .unwrap();
        assert_eq!(guard.port(), stale);
        assert_eq!(store.ids(), ["room/moved"]);
    }
}
