//! Files that one process replaces, locks or leaves half written while another one reads them.

use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use port_for::PortFor;

use crate::support::TempStore;

#[test]
fn readers_and_a_writer_do_not_disturb_each_other() {
    const IDS: usize = 30;
    let store = TempStore::new();
    let pool: port_for::PortSet = "62300-62399".parse().unwrap();
    // The writer has it until it ends, however it ends.
    let pen = Arc::new(());
    let is_written = Arc::downgrade(&pen);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let ports = store.reopened();
                let mut seen = 0;
                while is_written.strong_count() > 0 {
                    // A whole store, and none that was there before the one seen last.
                    let now = ports.assignments().unwrap().len();
                    assert!(now >= seen, "{now} assignments after {seen}");
                    seen = now;
                }
                assert_eq!(ports.assignments().unwrap().len(), IDS);
            });
        }
        scope.spawn(|| {
            for n in 0..IDS {
                let id = format!("id-{n}");
                store.request(&id).ports(pool.clone()).assign().unwrap();
            }
            drop(pen);
        });
    });
}

#[test]
fn a_change_is_seen_that_leaves_size_and_time_as_they_were() {
    let store = TempStore::new();
    let reader = store.reopened();
    let mut seen = HashSet::new();
    for nth in 0..50 {
        let port = 62_500 + nth % 2;
        store.release("api").unwrap();
        store.request("api").exact_port(port).assign().unwrap();
        assert_eq!(reader.forward_port("api", 0).unwrap(), port);
        seen.insert(fs::metadata(store.path()).unwrap().len());
    }
    assert_eq!(seen.len(), 1, "all are of one size");
}

#[test]
fn an_edit_in_place_right_after_a_write_is_seen_by_who_wrote() {
    let store = TempStore::new();
    for nth in 0..20 {
        let port = 62_500 + nth % 2;
        store.release("api").unwrap();
        store.request("api").exact_port(port).assign().unwrap();
        let text = fs::read_to_string(store.path()).unwrap();
        fs::write(store.path(), text.replace(&port.to_string(), "62502")).unwrap();
        assert_eq!(store.forward_port("api", 0).unwrap(), 62_502);
    }
}

#[test]
fn a_store_that_is_just_being_written_by_hand_is_read_when_it_is_whole() {
    let read_beside_an_editor = || {
        let store = TempStore::with("{\"version\": 1, \"po");
        let mut editor = fs::File::options().append(true).open(store.path()).unwrap();
        thread::scope(|scope| {
            let reader = scope.spawn(|| store.forward_port("api", 0));
            // The pause of an editor between two writes, in which the reader meets the half.
            thread::sleep(Duration::from_millis(20));
            editor.write_all(b"rts\": {\"api\": 23817}}").unwrap();
            reader.join().unwrap()
        })
    };
    // A reader gives up on an editor that is slow, as one is who is not let run for a while: so once of several times.
    let mut tries = (0..10).map(|_| read_beside_an_editor());
    assert!(tries.any(|port| port.is_ok_and(|port| port == 23817)));
}

#[test]
fn what_a_killed_writer_left_is_not_in_the_way() {
    let store = TempStore::new();
    let left = store.folder().join("ports.json.new");
    fs::write(&left, "{\"version\": 1, \"po").unwrap();
    let port = store.forward_port("api", 0).unwrap();
    assert_eq!(store.reopened().forward_port("api", 0).unwrap(), port);
    assert!(!left.exists());
}

#[test]
fn a_store_that_vanished_is_made_again() {
    let store = TempStore::new();
    let folder = store.folder().join("folder");
    let ports = PortFor::open(folder.join("ports.json")).unwrap();
    let port = ports.guard(&store.api).unwrap().port();
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(ports.guard(&store.api).unwrap().port(), port);
}

#[cfg(unix)]
#[test]
fn a_known_id_needs_neither_the_lock_of_the_store_nor_a_write() {
    use std::os::unix::fs::MetadataExt;

    use port_for::ErrorKind;

    let store = TempStore::new();
    drop(store.guard("api").unwrap());
    let before = fs::metadata(store.path()).unwrap();
    let _locked = store.locked();
    for ports in [&*store, &store.reopened()] {
        let request = ports.request("api").timeout(Duration::ZERO);
        drop(request.guard().unwrap());
        ports.forward_port("api", 8000).unwrap();
    }
    let after = fs::metadata(store.path()).unwrap();
    assert_eq!(
        (before.ino(), before.ctime_nsec()),
        (after.ino(), after.ctime_nsec())
    );
    // A new id does need the lock, waits for it, and names who has it.
    let short = store.request("new").timeout(Duration::from_millis(50));
    let error = short.guard().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    for part in ["ports.json.lock", "was held for", "PORT_FOR_TIMEOUT"] {
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[cfg(windows)]
mod on_windows {
    use std::fs::{self, File};
    use std::os::windows::fs::OpenOptionsExt;
    use std::sync::mpsc::{RecvTimeoutError, channel};
    use std::thread;
    use std::time::Duration;

    use crate::support::{TempStore, wine};

    const FILE_SHARE_READ: u32 = 1;
    const FILE_SHARE_WRITE: u32 = 2;
    const ERROR_LOCK_VIOLATION: i32 = 33;

    #[test]
    fn a_reader_that_keeps_the_store_in_its_place_is_waited_for() {
        let store = TempStore::new();
        store.forward_port("old", 0).unwrap();
        // As programs in C and Python open files: others may read and write, but not replace.
        let mut options = File::options();
        options.read(true);
        options.share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE);
        let reader = options.open(store.path()).unwrap();
        let (written, was_written) = channel();
        thread::scope(|scope| {
            scope.spawn(|| written.send(store.forward_port("new", 0)).unwrap());
            let before = was_written.recv_timeout(Duration::from_millis(200));
            assert_eq!(before.unwrap_err(), RecvTimeoutError::Timeout);
            drop(reader);
            was_written.recv().unwrap().unwrap();
        });
        assert_eq!(store.reopened().assignments().unwrap().len(), 2);
        assert!(!store.folder().join("ports.json.new").exists());
    }

    #[test]
    fn a_holder_is_named_although_nobody_can_read_what_it_has_locked() {
        let store = TempStore::new();
        let guard = store.guard(&store.api).unwrap();
        let lease = store.lease(guard.port());
        // Something to read, past what the standard library would call the end.
        File::options()
            .write(true)
            .open(&lease)
            .unwrap()
            .set_len(1)
            .unwrap();
        if wine::locks_keep_readers_out() {
            let error = fs::read(&lease).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(ERROR_LOCK_VIOLATION));
        }
        let listed = store.reopened().assignments().unwrap();
        assert_eq!(listed[0].holder().unwrap().pid(), Some(std::process::id()));
        let record = fs::read_to_string(lease.with_extension("holder")).unwrap();
        assert!(
            record.contains(&format!("\"pid\":{}", std::process::id())),
            "{record}"
        );
    }

    #[test]
    fn the_file_of_a_lease_stays_for_as_long_as_it_is_held() {
        let store = TempStore::new();
        let leases = store.leases();
        let guard = store.guard(&store.api).unwrap();
        let lease = store.lease(guard.port());
        fs::remove_file(&lease).unwrap_err();
        fs::rename(&lease, leases.join("elsewhere")).unwrap_err();
        fs::remove_dir_all(&leases).unwrap_err();
        drop(guard);
        fs::remove_file(&lease).unwrap();
    }
}
