//! Stores and folders that cannot, or must not, be used, as owners, modes, links and FIFOs of Unix tell.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use port_for::{Error, ErrorKind, PortFor};

use crate::support::TempStore;

/// A user that no machine has.
pub const SOMEBODY: u32 = 54_321;

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Everything that needs the store fails, and says why.
#[track_caller]
pub fn refuses(store: &PortFor, parts: &[&str]) -> Error {
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
            // Root's, and in our folder: a second name for a file that every user can read.
            let Ok(()) = fs::hard_link("/etc/hostname", &file) else {
                eprintln!(
                    "skipped: this user cannot have another user's file in a folder of its own"
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

fn make_fifo(path: &Path) {
    // macOS has no system call for it that `rustix` knows of.
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}
