//! Taking over the file of Python's `port-for`.

use std::collections::HashMap;
use std::fs;

use port_for::__cli::parse_python_config;
use rstest::rstest;
use serde_json::Value;

use crate::support::installed::find;
use crate::{Store, has, stderr};

/// The command's arguments for a file with that text.
#[track_caller]
fn import(store: &Store, text: impl AsRef<[u8]>) -> assert_cmd::assert::Assert {
    let file = store.folder().join("port-for.conf");
    fs::write(&file, text).unwrap();
    store.run(&["--import", file.to_str().unwrap()])
}

/// As Python writes it.
const PYTHONS: &str = "[DEFAULT]\nfoo = 37987\nexample.com/apache = 35456\n\n";

#[test]
fn all_ports_are_taken_over() {
    let store = Store::new();
    let done = import(&store, PYTHONS).success().stdout("");
    has(&stderr(&done), &["`foo` has port 37987", "imported 2"]);
    assert_eq!(store.port(&["foo"]), 37987);
    assert_eq!(store.port(&["example.com/apache"]), 35456);
}

#[test]
fn what_is_here_already_the_same_way_is_fine() {
    let store = Store::new();
    import(&store, PYTHONS).success();
    store.port(&["import/more"]);
    let before = store.text();
    let done = import(&store, PYTHONS).success().stdout("");
    has(&stderr(&done), &["imported 0", "2 were the same"]);
    assert_eq!(store.text(), before);
}

#[test]
fn that_a_use_cannot_be_noted_undoes_nothing() {
    let store = Store::new();
    fs::write(store.leases(), "a file").unwrap();
    let done = import(&store, PYTHONS).success().stdout("");
    has(&stderr(&done), &["imported 2"]);
    has(&store.text().unwrap(), &["\"foo\": 37987"]);
}

#[test]
fn what_is_imported_was_used_now() {
    let store = Store::new();
    import(&store, PYTHONS).success();
    store.run(&["--prune", "1d"]).success();
    assert_eq!(store.assignments().len(), 2);
    store.age(37987, 2 * crate::DAY);
    store.run(&["--prune", "1d"]).success();
    assert_eq!(store.assignments().len(), 1);
}

/// Of all that the importer was ever fuzzed with, it takes over what Python makes of it.
#[cfg(unix)] // Wine finds Linux's Python, and cannot run it.
#[test]
fn what_is_taken_over_is_what_python_reads() {
    const SCRIPT: &str = r#"
import configparser, json, os, sys

def ports(path):
    parser = configparser.ConfigParser()
    try:
        parser.read(path, encoding="utf-8-sig")
        return {name: int(value) for name, value in parser.defaults().items()}
    except (configparser.Error, ValueError) as error:
        return str(error)

folder = sys.argv[1]
print(json.dumps({name: ports(os.path.join(folder, name)) for name in os.listdir(folder)}))
"#;
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/corpus/import");
    let Some(python) = find("python3") else {
        return;
    };
    let python = std::process::Command::new(python)
        .args(["-c", SCRIPT, corpus])
        .output()
        .unwrap();
    let read: HashMap<String, Value> = serde_json::from_slice(&python.stdout).unwrap();
    let mut compared = 0;
    for (name, python) in read {
        let text = fs::read_to_string(format!("{corpus}/{name}")).unwrap();
        let (entries, faults) = parse_python_config(&text);
        if faults.is_empty() {
            let ours: HashMap<_, _> = entries
                .into_iter()
                .map(|entry| (entry.id, entry.port))
                .collect();
            assert_eq!(serde_json::json!(ours), python, "{name}: {text:?}");
            compared += 1;
        }
    }
    assert!(compared > 10, "{compared} files were compared");
}

/// Python reads these as well.
#[rstest]
#[case::nothing("", &[])]
#[case::only_a_section("[DEFAULT]\n", &[])]
#[case::comments("# here\n[DEFAULT]\n; there\n  # and there\nfoo = 80\n", &[("foo", 80)])]
#[case::colon("[DEFAULT]\nfoo: 80\n", &[("foo", 80)])]
#[case::without_spaces("[DEFAULT]\nfoo=80", &[("foo", 80)])]
#[case::capitals("[DEFAULT]\nFoo = 80\n", &[("foo", 80)])]
#[case::windows("\u{feff}[DEFAULT]\r\nfoo = 80\r\n", &[("foo", 80)])]
#[case::other_line_ends("[DEFAULT]\rfoo = 80\r\rbar = 81", &[("bar", 81), ("foo", 80)])]
#[case::spaces_in_a_name("[DEFAULT]\nmy app = 80\n", &[("my app", 80)])]
#[case::all_indented("[DEFAULT]\n  foo = 80\n  bar = 81\n", &[("bar", 81), ("foo", 80)])]
#[case::zeros("[DEFAULT]\nfoo = 0080\n", &[("foo", 80)])]
fn what_python_reads_is_read(#[case] text: &str, #[case] ports: &[(&str, u16)]) {
    let store = Store::new();
    import(&store, text).success().stdout("");
    let ports: Vec<_> = ports
        .iter()
        .map(|&(id, port)| (id.to_owned(), port))
        .collect();
    assert_eq!(store.assignments(), ports);
}

/// Each with its line; the good ones around it are not taken over.
#[rstest]
#[case::no_assignment("[DEFAULT]\ngood = 1\nfoo\n", &["line 3", "\"foo\"", "name = port"])]
#[case::no_number("[DEFAULT]\nfoo = x\ngood = 1\n", &["line 2", "\"x\"", "1 to 65535"])]
#[case::zero("[DEFAULT]\nfoo = 0\n", &["line 2", "\"0\""])]
#[case::too_high("[DEFAULT]\nfoo = 65536\n", &["line 2", "\"65536\""])]
#[case::signed("[DEFAULT]\nfoo = +80\n", &["line 2", "\"+80\""])]
#[case::nothing("[DEFAULT]\nfoo =\n", &["line 2", "\"\""])]
#[case::inline_comment("[DEFAULT]\nfoo = 80 ; web\n", &["line 2", "80 ; web"])]
#[case::no_name("[DEFAULT]\n= 80\n", &["line 2", "empty"])]
#[case::bad_name("[DEFAULT]\n-x = 80\n", &["line 2", "\"-x\"", "`-`"])]
#[case::no_section("foo = 80\ngood = 1\n", &["line 1", "[DEFAULT]"])]
#[case::other_section("[DEFAULT]\ngood = 1\n[web]\n", &["line 3", "\"[web]\""])]
#[case::section_to_the_last_bracket("[DEFAULT]\ngood = 1\n[DEFAULT] ]\n", &["line 3", "\"[DEFAULT] ]\""])]
#[case::continued("[DEFAULT]\nfoo = 80\n  81\n", &["line 3", "\"81\"", "indented"])]
#[case::continued_by_wide_spaces("[DEFAULT]\n\u{3000}foo = 80\n \u{a0}b = 81\n", &["line 3", "b = 81", "indented"])]
#[case::a_port_twice("[DEFAULT]\nfoo = 80\nbar = 80\n", &["line 3", "port 80", "line 2"])]
#[case::a_name_twice("[DEFAULT]\nfoo = 80\nfoo = 81\n", &["line 3", "`foo`", "line 2"])]
fn a_bad_line_is_named_and_nothing_is_done(#[case] text: &str, #[case] said: &[&str]) {
    let store = Store::new();
    let done = import(&store, text).code(1).stdout("");
    has(&stderr(&done), &["port-for.conf", "nothing was changed"]);
    has(&stderr(&done), said);
    assert_eq!(store.text(), None);
}

#[test]
fn all_that_is_wrong_is_listed_at_once() {
    let store = Store::new();
    store.port(&["foo", "-p", "4801"]);
    store.port(&["import/mine", "-p", "4802"]);
    let before = store.text();
    let text = "[DEFAULT]\nfoo = 4800\nnew = 4803\nbar = 4802\nbad\nbaz = 99999\n";
    let done = import(&store, text).code(1).stdout("");
    let said = stderr(&done);
    let lines: Vec<_> = said.lines().skip(1).collect();
    assert_eq!(lines.len(), 4, "{said}");
    has(lines[0], &["line 2", "`foo`", "4800", "4801"]);
    has(lines[1], &["line 4", "`bar`", "4802", "`import/mine`"]);
    has(lines[2], &["line 5", "\"bad\""]);
    has(lines[3], &["line 6", "\"99999\""]);
    assert_eq!(store.text(), before);
}

#[test]
fn conflicts_alone_are_listed_and_nothing_is_done() {
    let store = Store::new();
    // On an ordinary Linux it is one of those that outgoing connections get, which is warned of.
    store.run(&["import/owner", "-p", "37987"]).success();
    let before = store.text();
    let done = import(&store, PYTHONS).code(1).stdout("");
    has(
        &stderr(&done),
        &["line 2", "`foo`", "`import/owner`", "37987"],
    );
    assert_eq!(store.text(), before);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let store = Store::new();
    let done = store
        .run(&["--import", "nowhere/port-for.conf"])
        .code(1)
        .stdout("");
    has(&stderr(&done), &["nowhere/port-for.conf"]);
    has(
        &stderr(&import(&store, b"\xff").code(1)),
        &["port-for.conf", "UTF-8"],
    );
    assert_eq!(store.text(), None);
}

#[test]
fn a_saved_list_of_pythons_is_taken_over() {
    let store = Store::new();
    import(&store, "foo: 37987\nexample.com/apache: 35456\n").success();
    assert_eq!(
        store.assignments(),
        [
            ("example.com/apache".to_owned(), 35456),
            ("foo".to_owned(), 37987)
        ]
    );
}

#[test]
fn another_encoding_is_told_with_its_line() {
    let store = Store::new();
    let file = store.folder().join("port-for.conf");
    std::fs::write(&file, b"[DEFAULT]\nfoo = 4801\ncaf\xe9 = 4802\n").unwrap();
    let done = store.run(&["--import", file.to_str().unwrap()]).code(1);
    has(&stderr(&done), &["line 3", "not UTF-8", "iconv"]);
    assert_eq!(store.text(), None);
}
