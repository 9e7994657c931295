//! The store's text: what is written, and what is refused.

use std::fs;

use port_for::ErrorKind;

use crate::support::TempStore;

#[test]
fn the_file_is_for_people_to_read() {
    let store = TempStore::new();
    for (id, port) in [("web", 21800), ("api", 23817)] {
        store.request(id).exact_port(port).assign().unwrap();
    }
    let text = fs::read_to_string(store.path()).unwrap();
    let expected =
        "{\n  \"version\": 1,\n  \"ports\": {\n    \"api\": 23817,\n    \"web\": 21800\n  }\n}\n";
    assert_eq!(text, expected);
}

#[test]
fn a_file_that_people_wrote_is_read() {
    let store = TempStore::with(r#"{"ports": {"web": 21800, "api": 23817}, "version": 1}"#);
    assert_eq!(store.forward_port("api", 0).unwrap(), 23817);
    assert_eq!(store.forward_port("web", 0).unwrap(), 21800);

    let text = r#"{"version": 1, "ports": {"w\u0065b": 21800, "plain": 21801, "\u0061pi": 21802, "d\u0062": 21803}}"#;
    let store = TempStore::with(text);
    for (id, port) in [
        ("web", 21800),
        ("plain", 21801),
        ("api", 21802),
        ("db", 21803),
    ] {
        assert_eq!(store.forward_port(id, 0).unwrap(), port);
    }
}

#[test]
fn an_id_can_be_as_long_as_the_longest_namespace_and_a_group_make_it() {
    let store = |len: usize| {
        let id = "x".repeat(len);
        TempStore::with(format!(r#"{{"version": 1, "ports": {{"{id}": 2000}}}}"#))
    };
    assert_eq!(store(4358).assignments().unwrap().len(), 1);
    let error = store(4359).assignments().unwrap_err();
    assert!(error.to_string().contains("too many bytes"), "{error}");
}

#[test]
fn an_edit_while_a_process_runs_is_seen() {
    let store = TempStore::new();
    let port = store.forward_port("api", 0).unwrap();
    let other = if port == 23817 { 23818 } else { 23817 };
    let text = fs::read_to_string(store.path()).unwrap();
    // In place, as some editors do.
    fs::write(
        store.path(),
        text.replace(&port.to_string(), &other.to_string()),
    )
    .unwrap();
    assert_eq!(store.forward_port("api", 0).unwrap(), other);
}

#[test]
fn what_is_not_a_store_is_refused_and_left_as_it_is() {
    let cases: &[(&[u8], &str)] = &[
        (b"", "line 1 column 0"),
        (b"ports", "line 1 column 1"),
        (&[0; 4096], "line 1 column 1"),
        (b"{\"version\": 1, \"ports\": {\"api\": 23", "line 1 column"),
        (
            b"{\"version\": 1, \"ports\": {\"api\": 23817}} x",
            "line 1 column",
        ),
        (
            b"{\"version\": 2, \"ports\": {}}",
            "version 2 of the format is not known",
        ),
        (b"{\"version\": \"1\", \"ports\": {}}", "line 1 column"),
        (b"{\"ports\": {}}", "missing field `version`"),
        (b"{\"version\": 1}", "missing field `ports`"),
        (
            b"{\"version\": 1, \"version\": 1, \"ports\": {}}",
            "`version` is there twice",
        ),
        (
            b"{\"version\": 1, \"ports\": {}, \"notes\": \"\"}",
            "unknown field `notes`",
        ),
        (b"[1]", "a store"),
        (
            b"{\"version\": 1,\n\"ports\": {\n\"api\": 0}}",
            "`0`, expected a port from 1 to 65535 at line 3",
        ),
        (
            b"{\"version\": 1,\n\"ports\": {\n\"api\": 70000}}",
            "`70000`, expected a port from 1 to 65535 at line 3",
        ),
        (
            b"{\"version\": 1, \"ports\": {\"api\": -1}}",
            "expected a port from 1 to 65535",
        ),
        (
            b"{\"version\": 1, \"ports\": {\"api\": \"80\"}}",
            "expected a port from 1 to 65535",
        ),
        (
            b"{\"version\": 1, \"ports\": {\n\"api\": 2000,\n\"web\": 2000}}",
            "`web` has port 2000, which `api` has already at line 3",
        ),
        (
            b"{\"version\": 1, \"ports\": {\n\"api\": 2000,\n\"api\": 2001}}",
            "`api` is there twice at line 3",
        ),
        (
            b"{\"version\": 1, \"ports\": {\"b\": 1, \"a\": 2, \"b\": 3}}",
            "`b` is there twice",
        ),
        (b"{\"version\": 1, \"ports\": {\"\": 2000}}", "empty"),
        (
            b"{\"version\": 1, \"ports\": {\"-a\": 2000}}",
            "starts with `-`",
        ),
        (
            b"{\"version\": 1, \"ports\": {\"a\x7f\": 2000}}",
            "control character",
        ),
        (
            b"{\"version\": 1, \"ports\": {\"a\xc2\x85\": 2000}}",
            "control character",
        ),
        (
            b"{\"version\": 1, \"ports\": {\"a\\u0007\": 2000}}",
            "control character",
        ),
        (
            b"{\"version\": 1, \"ports\": [2000]}",
            "a map of ids to ports",
        ),
        (
            b"{\"version\": 1, \"ports\": {\"a\": 2000,\n \"b\xff\": 2001}}",
            "no UTF-8 at line 2 column 4",
        ),
        (
            b"{\"version\": 1, \"ports\": {\"a\xff\": 2000}}",
            "line 1 column",
        ),
    ];
    // At once, for each refusal waits whether an editor is at work.
    std::thread::scope(|scope| {
        for &(text, part) in cases {
            scope.spawn(move || is_refused_and_left(text, part));
        }
    });
}

fn is_refused_and_left(text: &[u8], part: &str) {
    let store = TempStore::with(text);
    let results = [
        store.guard("api").map(drop),
        store.forward_port("new", 8000).map(drop),
        store.release("api").map(drop),
        store.assignments().map(drop),
    ];
    let shown = String::from_utf8_lossy(text);
    for error in results.map(Result::unwrap_err) {
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{shown}");
        let message = error.to_string();
        for part in [part, store.path().to_str().unwrap(), "move the file away"] {
            assert!(
                message.contains(part),
                "{shown}\n{message:?} lacks {part:?}"
            );
        }
    }
    assert_eq!(
        fs::read(store.path()).unwrap(),
        text,
        "the file is as it was"
    );
}

#[test]
fn assignments_are_listed_by_id() {
    let store = TempStore::with(r#"{"version": 1, "ports": {"web": 21800, "api": 23817}}"#);
    let listed = store.assignments().unwrap();
    let listed: Vec<_> = listed
        .iter()
        .map(|a| (a.id(), a.port(), a.holder()))
        .collect();
    assert_eq!(listed, [("api", 23817, None), ("web", 21800, None)]);
}

#[test]
fn a_missing_store_is_empty_and_not_made_by_looking() {
    let store = TempStore::new();
    assert_eq!(store.assignments().unwrap(), []);
    assert_eq!(store.release("api").unwrap(), None);
    assert_eq!(fs::read_dir(store.folder()).unwrap().count(), 0);
}
