//! The corpora of the fuzz targets in `tests/fuzz`, tried by what users call.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, thread};

#[cfg(feature = "cli")]
use port_for::__cli::parse_python_config;
use port_for::ErrorKind;
use serde_json::Value;

use crate::support::TempStore;

#[cfg(feature = "cli")]
#[path = "../fuzz/checks/import.rs"]
mod import;
#[path = "../fuzz/checks/port_set.rs"]
mod port_set;

/// Each text with its name.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/corpus")
        .join(target);
    let texts: Vec<_> = (fs::read_dir(folder).unwrap())
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.display().to_string(), fs::read(path).unwrap())
        })
        .collect();
    assert!(texts.len() > 10, "the corpus is there");
    texts
}

#[test]
fn a_set_of_ports_is_read_as_it_is_written_or_told_where_it_is_wrong() {
    for (name, text) in corpus("port_set") {
        println!("{name}");
        port_set::check(str::from_utf8(&text).unwrap());
    }
}

#[cfg(feature = "cli")]
#[test]
fn a_python_configuration_is_read_as_it_is_written_or_told_where_it_is_wrong() {
    for (name, text) in corpus("import") {
        println!("{name}");
        import::check(str::from_utf8(&text).unwrap());
    }
}

#[test]
fn a_store_is_read_as_it_is_written_or_left_alone() {
    // A file that is no store is read again for a while, because an editor might be writing it: so, all at once.
    thread::scope(|scope| {
        for (name, text) in corpus("store") {
            scope.spawn(move || check_store(&name, &text));
        }
    });
}

fn check_store(name: &str, text: &[u8]) {
    let store = TempStore::with(text);
    let listed = match store.assignments() {
        Ok(listed) => listed,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{name}");
            assert_eq!(fs::read(store.path()).unwrap(), text, "{name}");
            return;
        }
    };
    let read = |text: &[u8]| serde_json::from_slice::<Value>(text).unwrap();
    let listed: BTreeMap<_, _> = listed
        .iter()
        .map(|found| (found.id(), found.port()))
        .collect();
    let before = read(text);
    assert_eq!(before["ports"], serde_json::json!(listed), "{name}");

    // Written, and written again.
    let is_free = |port: &u16| !listed.values().any(|other| other == port);
    let port = (2..=u16::MAX).find(is_free).unwrap();
    store.request(&store.api).exact_port(port).assign().unwrap();
    store.release(&store.api).unwrap();
    let written = fs::read(store.path()).unwrap();
    assert_eq!(read(&written), before, "{name}");
    assert_eq!(
        store.reopened().assignments().unwrap().len(),
        listed.len(),
        "{name}"
    );
}
