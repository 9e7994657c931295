//! Stores and folders that cannot, or must not, be used, as owners, modes, links and FIFOs of Unix tell.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use port_for::{Error, ErrorKind, PortFor, PortSet};

use crate::support::child::{give_environment, test_name};
use crate::support::{ChildTest, TempStore, command, report, told};

const SOMEBODY: u32 = 54_321;

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Everything that needs the store fails, and says why.
#[track_caller]
fn refuses(store: &PortFor, parts: &[&str]) -> Error {
    let mut errors = [
        store.guard("api").map(drop),
        store.forward_port("new", 8000).map(drop),
    ]
    .map(Result::unwrap_err);
    for error in &errors {
        assert_eq!(error.kind(), ErrorKind::Store, "{error}");
        let message = error.to_string();
        for part in parts.iter().chain(&["PORT_FOR_STORE"]) {
            assert!(message.contains(part), "{message:?} lacks {part:?}");
        }
    }
    std::mem::replace(&mut errors[0], store.guard("").unwrap_err())
}

#[test]
fn a_store_in_a_place_that_is_no_folder_is_an_error() {
    let store = TempStore::new();
    fs::write(store.path(), "x").unwrap();
    let below = PortFor::open(store.path().join("ports.json")).unwrap();
    refuses(&below, &[store.path().to_str().unwrap()]);
    assert_eq!(fs::read_to_string(store.path()).unwrap(), "x");
}

#[test]
fn a_folder_in_the_place_of_the_store_is_an_error() {
    let store = TempStore::new();
    fs::create_dir(store.path()).unwrap();
    refuses(&store, &["not a regular file"]);
}

#[test]
fn a_path_that_names_no_file_cannot_be_opened() {
    let store = TempStore::new();
    let folder = store.folder().to_str().unwrap();
    for path in [
        "",
        "/",
        ".",
        "..",
        &format!("{folder}/"),
        &format!("{folder}/.."),
    ] {
        let error = PortFor::open(path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store, "{path}");
        let message = error.to_string();
        for part in [
            &format!("`{path}`"),
            "not the path of a file",
            "PORT_FOR_STORE",
        ] {
            assert!(message.contains(part), "{message:?} lacks {part:?}");
        }
    }
}

#[test]
fn a_folder_that_is_not_there_is_made_private() {
    let store = TempStore::new();
    let folder = store.folder().join("a/b");
    let nested = PortFor::open(folder.join("ports.json")).unwrap();
    drop(nested.guard("api").unwrap());
    for made in [&folder, &folder.join("ports.json.leases")] {
        assert_eq!(fs::metadata(made).unwrap().mode() & 0o7777, 0o700);
    }
    assert_eq!(fs::metadata(nested.path()).unwrap().mode() & 0o7777, 0o600);
}

#[test]
fn a_link_or_fifo_in_the_place_of_a_file_is_refused() {
    for (name, why) in [
        ("ports.json", "symbolic link"),
        ("ports.json.lock", "symbolic link"),
        ("ports.json", "not a regular file"),
        ("ports.json.lock", "not a regular file"),
    ] {
        let store = TempStore::new();
        let (planted, target) = (store.folder().join(name), store.folder().join("target"));
        if why == "symbolic link" {
            symlink(&target, &planted).unwrap();
        } else {
            make_fifo(&planted);
        }
        refuses(&store, &[planted.to_str().unwrap(), why]);
        assert!(!target.exists(), "nothing is written elsewhere");
    }
}

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
    let at_once = std::time::Duration::ZERO;
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
        .timeout(std::time::Duration::ZERO)
        .guard()
        .unwrap_err();
    // The lease is found to be held, and by whom.
    assert_eq!(error.kind(), ErrorKind::Deadlock, "{error}");
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
fn a_link_in_the_place_of_the_temporary_file_is_not_followed() {
    let store = TempStore::new();
    let target = store.folder().join("target");
    symlink(&target, store.folder().join("ports.json.new")).unwrap();
    store.forward_port("api", 0).unwrap();
    assert!(!target.exists());
    assert!(fs::symlink_metadata(store.path()).unwrap().is_file());
}

#[test]
fn a_folder_that_everyone_can_write_to_is_refused() {
    let store = TempStore::new();
    fs::set_permissions(store.folder(), fs::Permissions::from_mode(0o777)).unwrap();
    refuses(
        &store,
        &[store.folder().to_str().unwrap(), "everyone can write"],
    );
    assert_eq!(fs::read_dir(store.folder()).unwrap().count(), 0);
}

#[test]
fn a_file_of_somebody_else_is_refused() {
    let store = TempStore::new();
    for name in ["ports.json.lock", "ports.json"] {
        let file = store.folder().join(name);
        let other = if is_root() {
            fs::write(&file, "{\"version\": 1, \"ports\": {}}").unwrap();
            chown(&file, Some(SOMEBODY), Some(SOMEBODY)).unwrap();
            SOMEBODY
        } else {
            // Root's, and in our folder: a second name for a file that everybody can read.
            let Ok(()) = fs::hard_link("/etc/hostname", &file) else {
                eprintln!(
                    "skipped: this user cannot have somebody else's file in a folder of its own"
                );
                return;
            };
            0
        };
        refuses(
            &store,
            &[file.to_str().unwrap(), &format!("belongs to user {other}")],
        );
        fs::remove_file(&file).unwrap();
    }
}

#[test]
fn a_folder_of_somebody_else_is_refused() {
    if !is_root() {
        // Root's folders are trusted, and others' cannot be made here: that they cannot be written to is an error too.
        let store = PortFor::open("/etc/port-for-test.json").unwrap();
        refuses(&store, &["/etc/port-for-test.json.lock", "denied"]);
        return;
    }
    let store = TempStore::new();
    chown(store.folder(), Some(SOMEBODY), Some(SOMEBODY)).unwrap();
    refuses(
        &store,
        &[store.folder().to_str().unwrap(), "belongs to user 54321"],
    );
    assert_eq!(fs::read_dir(store.folder()).unwrap().count(), 0);
}

#[test]
fn a_link_to_a_folder_that_somebody_else_made_is_refused() {
    let store = TempStore::new();
    let (real, link) = (store.folder().join("real"), store.folder().join("link"));
    fs::create_dir(&real).unwrap();
    symlink(&real, &link).unwrap();
    let linked = PortFor::open(link.join("ports.json")).unwrap();
    linked.forward_port("api", 0).unwrap();
    assert!(
        real.join("ports.json").exists(),
        "a link of our own is followed"
    );
    if is_root() {
        rustix::fs::chownat(
            rustix::fs::CWD,
            &link,
            Some(rustix::fs::Uid::from_raw(SOMEBODY)),
            None,
            rustix::fs::AtFlags::SYMLINK_NOFOLLOW,
        )
        .unwrap();
        let linked = PortFor::open(link.join("ports.json")).unwrap();
        refuses(
            &linked,
            &[link.to_str().unwrap(), "symbolic link that user 54321 made"],
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_nothing_can_be_written_to_is_an_error() {
    // Not even by root.
    let store = PortFor::open("/sys/kernel/ports.json").unwrap();
    refuses(&store, &["/sys/kernel/ports.json.lock"]);
}

#[test]
fn mode_and_group_of_the_store_are_kept() {
    let store = TempStore::new();
    store.forward_port("api", 0).unwrap();
    fs::set_permissions(store.path(), fs::Permissions::from_mode(0o640)).unwrap();
    if is_root() {
        chown(store.path(), None, Some(SOMEBODY)).unwrap();
    }
    let before = fs::metadata(store.path()).unwrap();
    store.forward_port("web", 0).unwrap();
    let after = fs::metadata(store.path()).unwrap();
    assert_ne!(before.ino(), after.ino(), "the file was replaced");
    assert_eq!((before.mode(), before.gid()), (after.mode(), after.gid()));
}

#[test]
fn a_folder_that_a_group_shares_gives_the_group_its_files() {
    let store = TempStore::new();
    let folder = store.folder();
    if is_root() {
        chown(folder, None, Some(SOMEBODY)).unwrap();
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o2770)).unwrap();
    let group = fs::metadata(folder).unwrap().gid();
    let port = store.guard("api").unwrap().port();
    for (name, mode) in [
        ("ports.json", 0o660),
        ("ports.json.lock", 0o660),
        ("ports.json.leases", 0o2770),
        (&*format!("ports.json.leases/{port}.lock"), 0o660),
    ] {
        let found = fs::metadata(folder.join(name)).unwrap();
        assert_eq!(
            (found.mode() & 0o7777, found.gid()),
            (mode, group),
            "{name}"
        );
    }
}

/// Reports whether the port that it is told can be picked.
#[test]
#[ignore = "a child of another test"]
fn child_picks() {
    let Some((_, port)) = told() else { return };
    let only = PortSet::from([port.parse().unwrap()]);
    report(format_args!("{:?}", port_for::ports::pick(&only)));
}

#[test]
fn a_port_with_connections_that_this_user_may_not_bind_is_taken_and_no_error() {
    if !is_root() {
        eprintln!("skipped: only root can listen where others may not");
        return;
    }
    let server = (600..1024).find_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok());
    let server = server.expect("a privileged port is free");
    let addr = server.local_addr().unwrap();
    let _connection = (TcpStream::connect(addr).unwrap(), server.accept().unwrap());

    // Where somebody else can run it.
    let store = TempStore::new();
    fs::set_permissions(store.folder(), fs::Permissions::from_mode(0o711)).unwrap();
    let program = store.folder().join("api");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let told = command(
        test_name!(child_picks),
        Path::new("-"),
        &addr.port().to_string(),
    );
    let mut command = Command::new(program);
    command.args(told.get_args()).current_dir("/").uid(SOMEBODY);
    give_environment(&told, &mut command);
    let mut child = ChildTest::run(&mut command);
    assert_eq!(child.line(), "Ok(None)");
    child.join();
}

#[test]
fn a_known_id_needs_neither_the_lock_of_the_store_nor_a_write() {
    let store = TempStore::new();
    drop(store.guard("api").unwrap());
    let before = fs::metadata(store.path()).unwrap();
    let _locked = store.locked();
    for ports in [&*store, &store.reopened()] {
        let request = ports.request("api").timeout(std::time::Duration::ZERO);
        drop(request.guard().unwrap());
        ports.forward_port("api", 8000).unwrap();
    }
    let after = fs::metadata(store.path()).unwrap();
    assert_eq!(
        (before.ino(), before.ctime_nsec()),
        (after.ino(), after.ctime_nsec())
    );
    // A new id does need the lock, waits for it, and names who has it.
    let short = store
        .request("new")
        .timeout(std::time::Duration::from_millis(50));
    let error = short.guard().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    for part in ["ports.json.lock", "was held for", "PORT_FOR_TIMEOUT"] {
        assert!(error.to_string().contains(part), "{error}");
    }
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

fn make_fifo(path: &Path) {
    // macOS has no system call for it that `rustix` knows of.
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}
