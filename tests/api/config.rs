//! The environment: the variables, and where the default store lies.

use std::fs;
use std::path::Path;

use port_for::PortFor;

use crate::support::child::test_name;
use crate::support::{ChildTest, TempStore, command, report, told};

/// Reports where the default store is and which port it gives to the id, or the error.
#[test]
#[ignore = "a child of other tests"]
fn child_asks_the_default_store() {
    let Some((_, id)) = told() else { return };
    let port = PortFor::shared().and_then(|store| store.forward_port(&id, 0));
    match port {
        Ok(port) => report(format_args!(
            "{} {port}",
            PortFor::shared().unwrap().path().display()
        )),
        Err(error) => report(format_args!("{:?}: {error}", error.kind())),
    }
}

/// What a process with these variables, and none of ours beside them, has to say.
fn ask(variables: &[(&str, &str)]) -> String {
    let mut command = command(
        test_name!(child_asks_the_default_store),
        Path::new("-"),
        "api",
    );
    for ours in ["STORE", "NAMESPACE", "TIMEOUT", "POOL"] {
        command.env_remove(format!("PORT_FOR_{ours}"));
    }
    command
        .env_remove("XDG_STATE_HOME")
        .envs(variables.iter().copied());
    let mut child = ChildTest::run(&mut command);
    let line = child.line();
    child.join();
    line
}

fn path_of(answer: &str) -> &Path {
    let (path, port) = answer.rsplit_once(' ').unwrap();
    port.parse::<u16>()
        .unwrap_or_else(|_| panic!("an error: {answer}"));
    Path::new(path)
}

#[test]
fn a_bad_variable_is_an_error_that_names_it_its_value_and_what_is_valid() {
    let store = TempStore::new();
    let path = store.path().to_str().unwrap();
    for (variable, value, valid) in [
        ("PORT_FOR_TIMEOUT", "soon", "number of seconds"),
        ("PORT_FOR_POOL", "3000-2000", "list of ports and ranges"),
        ("PORT_FOR_NAMESPACE", "-x", "name of at most 4096 bytes"),
        ("PORT_FOR_STORE", "/tmp/", "path of a file"),
    ] {
        let answer = ask(&[("PORT_FOR_STORE", path), (variable, value)]);
        assert!(answer.starts_with("Config: "), "{answer}");
        for part in [variable, value, valid] {
            assert!(answer.contains(part), "{answer:?} lacks {part:?}");
        }
    }
    assert!(!store.path().exists());
}

#[test]
fn port_for_store_names_the_file() {
    let store = TempStore::new();
    let answer = ask(&[("PORT_FOR_STORE", store.path().to_str().unwrap())]);
    assert_eq!(path_of(&answer), store.path());
    assert!(store.path().exists());
}

#[test]
fn a_namespace_has_ports_of_its_own() {
    let store = TempStore::new();
    let path = store.path().to_str().unwrap();
    let plain = ask(&[("PORT_FOR_STORE", path)]);
    let long = "/checkout/".repeat(400);
    let one = ask(&[("PORT_FOR_STORE", path), ("PORT_FOR_NAMESPACE", "/one")]);
    let far = ask(&[("PORT_FOR_STORE", path), ("PORT_FOR_NAMESPACE", &long)]);
    let none = ask(&[("PORT_FOR_STORE", path), ("PORT_FOR_NAMESPACE", "")]);
    assert_eq!(plain, none);
    assert!(plain != one && plain != far && one != far);
    let ids: Vec<String> = store
        .assignments()
        .unwrap()
        .iter()
        .map(|a| a.id().to_owned())
        .collect();
    let mut expected = [
        "api".to_owned(),
        "/one#api".to_owned(),
        format!("{long}#api"),
    ];
    expected.sort();
    assert_eq!(ids, expected);
}

#[test]
fn the_pool_can_be_set_and_several_ids_are_assigned_all_or_none() {
    let store = TempStore::new();
    let pool = ("PORT_FOR_POOL", "62100-62101");
    let answer = ask(&[("PORT_FOR_STORE", store.path().to_str().unwrap()), pool]);
    assert!(
        answer.ends_with("62100") || answer.ends_with("62101"),
        "{answer}"
    );
    let before = fs::read(store.path()).unwrap();

    let mut command = command(test_name!(child_guards_three), store.path(), "");
    let mut child = ChildTest::run(command.env(pool.0, pool.1));
    let answer = child.line();
    assert!(answer.contains("no port is left"), "{answer}");
    child.join();
    assert_eq!(fs::read(store.path()).unwrap(), before, "none is recorded");
}

#[test]
#[ignore = "a child of other tests"]
fn child_guards_three() {
    let Some((store, _)) = told() else { return };
    let store = PortFor::open(store).unwrap();
    report(store.guards(["x", "y", "z"]).unwrap_err());
}

/// Where there are homes, modes and links.
#[cfg(unix)]
mod on_unix {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    use std::path::Path;

    use super::{ask, path_of};
    use crate::support::TempStore;

    fn user() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    #[test]
    fn the_default_store_is_in_the_state_folder_of_the_user() {
        let home = TempStore::new();
        let home = home.folder();
        let answer = ask(&[("HOME", home.to_str().unwrap())]);
        assert_eq!(
            path_of(&answer),
            home.join(".local/state/port-for/ports.json")
        );
        let state = home.join("state");
        let answer = ask(&[
            ("HOME", "/nonexistent"),
            ("XDG_STATE_HOME", state.to_str().unwrap()),
        ]);
        assert_eq!(path_of(&answer), state.join("port-for/ports.json"));
    }

    #[test]
    fn without_a_usable_home_the_store_is_in_a_private_temporary_folder() {
        let temp = TempStore::new();
        let temp = temp.folder();
        for home in ["/nonexistent", "/dev/null", "/proc"] {
            let answer = ask(&[("HOME", home), ("TMPDIR", temp.to_str().unwrap())]);
            let folder = temp.join(format!("port-for-{}", user()));
            assert_eq!(path_of(&answer), folder.join("ports.json"), "HOME={home}");
            assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        }
        assert!(!Path::new("/nonexistent").exists());
    }

    #[test]
    fn a_temporary_folder_that_is_not_private_or_not_ours_is_refused() {
        let temp = TempStore::new();
        let temp = temp.folder();
        let folder = temp.join(format!("port-for-{}", user()));
        let refused = |why: &str| {
            let answer = ask(&[("HOME", "/nonexistent"), ("TMPDIR", temp.to_str().unwrap())]);
            assert!(answer.starts_with("Store: "), "{answer}");
            for part in [why, folder.to_str().unwrap(), "PORT_FOR_STORE"] {
                assert!(answer.contains(part), "{answer:?} lacks {part:?}");
            }
        };
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        refused("others can enter it");
        if user() == 0 {
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
            std::os::unix::fs::chown(&folder, Some(54_321), None).unwrap();
            refused("belongs to user 54321");
        }
        fs::remove_dir(&folder).unwrap();
        symlink(temp, &folder).unwrap();
        refused("not a folder");
    }

    #[test]
    fn a_state_folder_that_cannot_be_used_is_an_error_and_not_a_reason_to_go_elsewhere() {
        let home = TempStore::new();
        let state = home.folder().join(".local/state");
        fs::create_dir_all(&state).unwrap();
        fs::write(state.join("port-for"), "a file").unwrap();
        let answer = ask(&[("HOME", home.folder().to_str().unwrap())]);
        assert!(answer.starts_with("Store: "), "{answer}");
        assert!(
            answer.contains(".local/state/port-for/ports.json"),
            "{answer}"
        );
    }
}

#[cfg(windows)]
#[test]
fn the_default_store_is_where_windows_keeps_what_stays_on_the_machine() {
    let temp = TempStore::new();
    let folder = temp.folder().join("local");
    let answer = ask(&[("LOCALAPPDATA", folder.to_str().unwrap())]);
    assert_eq!(path_of(&answer), folder.join("port-for").join("ports.json"));
}
