//! What an id may be.

use port_for::ErrorKind;

use crate::support::TempStore;

#[test]
fn an_id_that_breaks_the_rule_is_an_error_that_names_the_rule() {
    let store = TempStore::new();
    for (id, rule) in [
        ("", "empty"),
        (&*"x".repeat(256), "more than 255 bytes"),
        (&*"é".repeat(128), "more than 255 bytes"),
        ("-v", "starts with `-`"),
        ("a\nb", "control character"),
        ("a\0", "control character"),
        ("\u{7f}", "control character"),
        (" api", "white space"),
        ("api\u{a0}", "white space"),
        ("a\u{200b}pi", "not seen"),
        ("a\u{202e}pi", "not seen"),
        ("\u{feff}api", "not seen"),
    ] {
        let results = [
            store.guard(id).map(drop),
            store.forward_port(id, 8000).map(drop),
            store.guards(["fine", id]).map(drop),
            store.release(id).map(drop),
        ];
        for error in results.map(Result::unwrap_err) {
            assert_eq!(error.kind(), ErrorKind::InvalidId, "{id:?}");
            assert!(error.to_string().contains(rule), "{error}");
        }
    }
    assert!(!store.path().exists(), "nothing was written");
}

#[test]
fn any_other_text_is_an_id() {
    let store = TempStore::new();
    let longest = "x".repeat(255);
    let ids = [
        "a",
        "example.com/apache",
        "my_crate::tests::login::port",
        "ß 好",
        "\"\\{}",
        "a#b",
        &longest,
    ];
    let ports = ids.map(|id| store.forward_port(id, 0).unwrap());
    assert_eq!(
        ids.map(|id| store.reopened().forward_port(id, 0).unwrap()),
        ports
    );
}
