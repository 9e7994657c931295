//! Files and folders of others, and what they planted in the places of ours.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use port_for::ErrorKind;

use super::{STRANGER, is_refused, open, says};

pub fn folder_of_another(folder: &Path) {
    let theirs = folder.join("theirs");
    fs::create_dir(&theirs).unwrap();
    chown(&theirs, Some(STRANGER), Some(STRANGER)).unwrap();
    is_refused(
        &open(&theirs),
        "api",
        ErrorKind::Store,
        &["belongs to user 54321"],
    );
    assert_eq!(fs::read_dir(&theirs).unwrap().count(), 0);
    // The folder of leases in a folder that many may write to.
    let many = folder.join("many");
    fs::create_dir(&many).unwrap();
    fs::set_permissions(&many, Permissions::from_mode(0o1777)).unwrap();
    let leases = many.join("ports.json.leases");
    fs::create_dir(&leases).unwrap();
    chown(&leases, Some(STRANGER), Some(STRANGER)).unwrap();
    is_refused(
        &open(&many),
        "api",
        ErrorKind::Store,
        &["belongs to user 54321"],
    );
}

pub fn planted(folder: &Path) {
    plant_everywhere(folder, |planted, target| {
        symlink(target, planted).unwrap();
    });
    plant_everywhere(folder, |planted, _| {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        mknodat(CWD, planted, FileType::Fifo, Mode::RWXU, 0).unwrap();
    });
    plant_everywhere(folder, |planted, _| {
        fs::create_dir(planted).unwrap();
        File::create(planted.join("inside")).unwrap();
    });
    plant_everywhere(folder, |planted, _| {
        std::os::unix::net::UnixListener::bind(planted).unwrap();
    });
    second_names(folder);
}

pub fn planted_by_another(folder: &Path) {
    plant_everywhere(folder, |planted, _| {
        fs::write(planted, "{\"version\": 1, \"ports\": {}}").unwrap();
        chown(planted, Some(STRANGER), Some(STRANGER)).unwrap();
    });
    plant_everywhere(folder, |planted, _| {
        fs::create_dir(planted).unwrap();
        chown(planted, Some(STRANGER), Some(STRANGER)).unwrap();
    });
    in_the_place_of_a_folder(folder);
}

/// In a folder that many may write to, names for a file that is ours and has nothing to do with ports.
fn second_names(folder: &Path) {
    const PRECIOUS: &str = "{\"version\": 1, \"ports\": {}}";
    for nth in [0, 1, 2, 4] {
        let store = tempfile::tempdir_in(folder).unwrap();
        fs::set_permissions(store.path(), Permissions::from_mode(0o1777)).unwrap();
        let place = places(store.path())[nth].clone();
        let target = store.path().join("target");
        fs::write(&target, PRECIOUS).unwrap();
        let _ = fs::remove_file(&place);
        if nth == 4 {
            fs::set_permissions(place.parent().unwrap(), Permissions::from_mode(0o1777)).unwrap();
        }
        fs::hard_link(&target, &place).unwrap();
        let ports = open(store.path());
        for outcome in [
            ports.guard("api").map(drop),
            ports.forward_port("new", 0).map(drop),
        ] {
            let Err(error) = outcome else { continue };
            says(&error, ErrorKind::Store, &["hard link"]);
        }
        let text = fs::read_to_string(target).unwrap();
        assert_eq!(text, PRECIOUS, "by the name {}", place.display());
    }
}

/// A link to a folder elsewhere, where the leases were of a process that goes on.
fn in_the_place_of_a_folder(folder: &Path) {
    let store = tempfile::tempdir_in(folder).unwrap();
    let ports = open(store.path());
    // The second time, the folder is there, and is found to be ours.
    for _ in 0..2 {
        drop(ports.guard("api").unwrap());
    }
    let target = store.path().join("target");
    fs::create_dir(&target).unwrap();
    let leases = &places(store.path())[3];
    fs::remove_dir_all(leases).unwrap();
    symlink(&target, leases).unwrap();
    std::os::unix::fs::lchown(leases, Some(STRANGER), Some(STRANGER)).unwrap();
    let error = ports.guard("api").unwrap_err();
    says(&error, ErrorKind::Store, &["symbolic link", "leases"]);
    assert_eq!(fs::read_dir(&target).unwrap().count(), 0);
}

/// Where the crate's files go: the store, its lock, its temporary file, the folder of leases, a lease.
fn places(folder: &Path) -> [PathBuf; 5] {
    let ports = open(folder);
    let port = ports.guard("api").unwrap().port();
    let beside = |suffix: &str| folder.join(format!("ports.json{suffix}"));
    [
        beside(""),
        beside(".lock"),
        beside(".new"),
        beside(".leases"),
        beside(&format!(".leases/{port}.lock")),
    ]
}

/// Plants something in each place in turn. What comes of it is an error that names the place, or no more than that
/// what was planted is gone; never a wait, and nothing is written elsewhere.
#[track_caller]
fn plant_everywhere(folder: &Path, plant: fn(&Path, &Path)) {
    for nth in 0..5 {
        let store = tempfile::tempdir_in(folder).unwrap();
        let place = places(store.path())[nth].clone();
        let target = store.path().join("target");
        match fs::symlink_metadata(&place) {
            Ok(found) if found.is_dir() => fs::remove_dir_all(&place).unwrap(),
            Ok(_) => fs::remove_file(&place).unwrap(),
            Err(_) => {}
        }
        plant(&place, &target);
        let started = Instant::now();
        let ports = open(store.path());
        for outcome in [
            ports.guard("api").map(drop),
            ports.forward_port("new", 0).map(drop),
            ports.release("api").map(drop),
        ] {
            let Err(error) = outcome else { continue };
            let name = place.file_name().unwrap().to_str().unwrap();
            // The temporary file's failure is the store's.
            says(&error, ErrorKind::Store, &[name.trim_end_matches(".new")]);
        }
        let took = started.elapsed();
        assert!(
            took < Duration::from_secs(5),
            "{}: {took:?}",
            place.display()
        );
        assert!(!target.exists(), "{} was followed", place.display());
    }
}
