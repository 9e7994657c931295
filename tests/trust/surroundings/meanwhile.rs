//! Stores that change under a process, or grow large.

use std::fs::{self, File};
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use port_for::{ErrorKind, PortSet};

use super::{api, is_refused, open, says, works};
use crate::each_call::read;

/// As an editor does that writes in place: it empties the file, and fills it again.
pub fn edited_by_hand(folder: &Path) {
    const IDS: usize = 4;
    let ports = open(folder);
    let ids: Vec<_> = (0..IDS)
        .map(|nth| format!("{nth} {}", api(folder)))
        .collect();
    let assigned: Vec<_> = ids
        .iter()
        .map(|id| ports.forward_port(id, 0).unwrap())
        .collect();
    let text = fs::read(ports.path()).unwrap();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = ids
            .iter()
            .zip(&assigned)
            .map(|(id, &port)| {
                let over = &over;
                scope.spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        assert_eq!(open(folder).guard(id).unwrap().port(), port);
                    }
                })
            })
            .collect();
        for turn in 0..200 {
            let mut file = File::create(ports.path()).unwrap();
            let (half, rest) = text.split_at(text.len() / 2);
            for part in [half, rest, &vec![b'\n'; turn % 5]] {
                file.write_all(part).unwrap();
                // The pause between two writes, in which the store is half there.
                thread::sleep(Duration::from_micros(500));
            }
        }
        over.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.join().expect("no reader met half a store");
        }
    });
    works(&ports, "new");
    assert_eq!(read(ports.path()).unwrap().len(), IDS + 1);
}

/// Seen from a clock that was set back, all files and records are from the future.
pub fn clock_set_back(folder: &Path) {
    let (ports, id) = (open(folder), api(folder));
    let port = ports.guard(&id).unwrap().port();
    let future = SystemTime::now() + Duration::from_secs(10 * 365 * 24 * 3600);
    let lease = folder.join(format!("ports.json.leases/{port}.lock"));
    let date_all = || {
        for path in [ports.path(), &lease, &folder.join("ports.json.lock")] {
            File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_modified(future)
                .unwrap();
        }
    };
    date_all();
    for ports in [&ports, &open(folder)] {
        assert_eq!(works(ports, &id), port);
    }
    let guard = ports.guard(&id).unwrap();
    date_all();
    let since = future
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_millis();
    let note = format!(r#"{{"pid":1,"test":null,"command":"tester","since_ms":{since}}}"#);
    fs::write(&lease, note).unwrap();
    thread::scope(|scope| {
        let other = scope.spawn(|| is_refused(&ports, &id, ErrorKind::Busy, &["`tester`"]));
        other.join().unwrap();
    });
    drop(guard);
    // Edited after the clock was set back: an older time than the one that was read before.
    let mut text = fs::read_to_string(ports.path()).unwrap();
    text = text.replace("\"ports\": {", "\"ports\": {\n    \"a\": 23817,");
    fs::write(ports.path(), text).unwrap();
    File::options()
        .write(true)
        .open(ports.path())
        .unwrap()
        .set_modified(SystemTime::UNIX_EPOCH)
        .unwrap();
    assert_eq!(ports.forward_port("a", 0).unwrap(), 23817);
    assert_eq!(ports.release(&id).unwrap(), Some(port));
    works(&ports, &id);
}

pub fn sixty_thousand(folder: &Path) {
    // A walk by thousands of ports that are in use; on a busy machine it takes its time.
    const LIMIT: Duration = Duration::from_secs(60);
    // All but those that this check takes for itself.
    let assigned = (1_025..=61_024)
        .map(|port: u16| format!("\"id {port:05}\": {port}"))
        .collect::<Vec<_>>();
    let path = folder.join("ports.json");
    fs::write(
        &path,
        format!("{{\"version\": 1, \"ports\": {{{}}}}}", assigned.join(",")),
    )
    .unwrap();
    let ports = open(folder);
    let timed = |what: &str, act: &mut dyn FnMut()| {
        let started = Instant::now();
        act();
        assert!(
            started.elapsed() < LIMIT,
            "{what} took {:?}",
            started.elapsed()
        );
    };
    timed("a known id", &mut || {
        assert_eq!(ports.forward_port("id 23817", 0).unwrap(), 23_817);
    });
    let room: PortSet = "61025-65535".parse().unwrap();
    timed("a new id", &mut || {
        let request = ports.request("new").ports(room.clone());
        assert!(request.guard().unwrap().port() > 61_024);
    });
    timed("an exhausted pool", &mut || {
        let full: PortSet = "20000-30000".parse().unwrap();
        let error = ports.request("more").ports(full).assign().unwrap_err();
        says(&error, ErrorKind::Exhausted, &["10001"]);
    });
    timed("a release", &mut || {
        assert_eq!(ports.release("id 23817").unwrap(), Some(23_817));
    });
    assert_eq!(read(&path).unwrap().len(), 60_000);
}

/// Deletes leases over and over, as a cleaner of `/tmp` does, while a guard goes through all its states.
pub fn leases_deleted(folder: &Path) {
    let (ports, id) = (open(folder), api(folder));
    let mut guard = ports.guard(&id).unwrap();
    let port = guard.port();
    let leases = folder.join("ports.json.leases");
    let clean = || fs::remove_dir_all(&leases).unwrap();
    let others_stay_out = || {
        thread::scope(|scope| {
            for _ in 0..2 {
                let other = scope.spawn(|| {
                    let request = ports.request(&id).timeout(Duration::from_millis(100));
                    request.guard().map(|guard| guard.port())
                });
                let error = other.join().unwrap().expect_err("two hold one port");
                says(&error, ErrorKind::Occupied, &[&port.to_string()]);
            }
        });
    };
    clean();
    others_stay_out();
    guard.vacate().unwrap();
    clean();
    others_stay_out();
    // Its server comes and goes.
    drop(TcpListener::bind(guard.addr()).unwrap());
    others_stay_out();
    guard.rearm().unwrap();
    clean();
    others_stay_out();
    let listener = guard.take_listener().unwrap();
    clean();
    others_stay_out();
    drop(listener);
    guard.rearm().unwrap();
    clean();
    others_stay_out();
    guard.close().unwrap();
    assert_eq!(works(&ports, &id), port);
}

/// A call that is in the middle of something then gets a port or an error that says so, and the next one gets a port.
pub fn folder_deleted(folder: &Path) {
    let store = folder.join("store");
    let ports = open(&store);
    let id = api(folder);
    let port = works(&ports, &id);
    fs::remove_dir_all(&store).unwrap();
    assert_eq!(
        works(&ports, &id),
        port,
        "the same port without anything to remember it by"
    );
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for nth in 0..4 {
            let (ports, id, over) = (&ports, format!("{id} {nth}"), &over);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    if let Err(error) = ports.guard(&id) {
                        says(&error, ErrorKind::Store, &["store"]);
                    }
                }
            });
        }
        for _ in 0..200 {
            // As often as that, it is deleted.
            thread::sleep(Duration::from_millis(2));
            // A file that is made at this moment keeps the folder there: the next turn has it.
            let _ = fs::remove_dir_all(&store);
        }
        over.store(true, Ordering::Relaxed);
    });
    assert_eq!(
        fs::metadata(&store).map_or(0o700, |found| found.mode() & 0o777),
        0o700
    );
    assert_eq!(works(&ports, &id), port);
}
