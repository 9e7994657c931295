//! The files of leases: planted, deleted, kept open, dated.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use port_for::ErrorKind;

use crate::files::{SOMEBODY, is_root, refuses};
use crate::support::TempStore;

#[test]
fn a_link_in_the_place_of_a_lease_is_refused() {
    let store = TempStore::new();
    let port = store.guard("api").unwrap().port();
    let lease = store.lease(port);
    fs::remove_file(&lease).unwrap();
    symlink(store.folder().join("target"), &lease).unwrap();
    let error = store.guard("api").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(error.to_string().contains("symbolic link"), "{error}");
    assert!(!store.folder().join("target").exists());
}

#[test]
fn a_folder_of_leases_that_somebody_planted_is_refused() {
    let refused = |why: &str, plant: &dyn Fn(&Path)| {
        let store = TempStore::new();
        let leases = store.leases();
        plant(&leases);
        refuses(&store, &[leases.to_str().unwrap(), why]);
        assert!(!store.path().exists());
        if leases.is_dir() {
            assert_eq!(fs::read_dir(&leases).unwrap().count(), 0);
        }
    };
    refused("not a folder", &|leases| fs::write(leases, "").unwrap());
    refused("everyone can write", &|leases| {
        fs::create_dir(leases).unwrap();
        fs::set_permissions(leases, fs::Permissions::from_mode(0o777)).unwrap();
    });
    if is_root() {
        refused("belongs to user 54321", &|leases| {
            fs::create_dir(leases).unwrap();
            chown(leases, Some(SOMEBODY), Some(SOMEBODY)).unwrap();
        });
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_lease_whose_file_was_deleted_still_excludes_others_when_its_port_is_vacated() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    guard.vacate().unwrap();
    let at_once = Duration::ZERO;
    for _ in 0..2 {
        fs::remove_dir_all(store.leases()).unwrap();
        // The second finds the file that the first has made.
        for _ in 0..2 {
            let request = store.request(&store.api);
            let error = request.timeout(at_once).guard().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Occupied, "{error}");
        }
    }
    let port = guard.port();
    drop(guard);
    for _ in 0..2 {
        assert_eq!(store.guard(&store.api).unwrap().port(), port);
    }
}

#[test]
fn a_lease_whose_file_was_deleted_between_two_uses_is_made_anew() {
    let store = TempStore::new();
    drop(store.guard(&store.api).unwrap());
    fs::remove_dir_all(store.leases()).unwrap();
    let guard = store.guard(&store.api).unwrap();
    let another = store.reopened();
    let error = another
        .request(&store.api)
        .timeout(Duration::ZERO)
        .guard()
        .unwrap_err();
    // The lease is found to be held, and by whom.
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    drop(guard);
    drop(another.guard(&store.api).unwrap());
}

#[cfg(target_os = "linux")]
#[test]
fn no_more_than_a_few_files_stay_open() {
    let store = TempStore::new();
    let open = || {
        let leases = store.leases();
        let files = fs::read_dir("/proc/self/fd").unwrap();
        // Other tests open and close files meanwhile.
        let paths = files.filter_map(|file| fs::read_link(file.unwrap().path()).ok());
        paths.filter(|path| path.starts_with(&leases)).count()
    };
    for nth in 0..40 {
        drop(store.guard(&format!("{} {nth}", store.api)).unwrap());
    }
    assert!((1..=16).contains(&open()), "{}", open());
}

#[test]
fn that_a_number_is_asked_for_is_noted_to_the_minute() {
    let store = TempStore::new();
    let port = store.forward_port(&store.api, 0).unwrap();
    let lease = store.lease(port);
    for (seconds, is_noted) in [(30, false), (90, true)] {
        let then = SystemTime::now() - Duration::from_secs(seconds);
        store.set_last_used(port, then).unwrap();
        store.forward_port(&store.api, 0).unwrap();
        let last = fs::metadata(&lease).unwrap().modified().unwrap();
        assert_eq!(last != then, is_noted, "{seconds} s ago");
    }
}
