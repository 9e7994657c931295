//! Pruning, asked for and by itself.

use crate::{DAY, Store, has, stderr};

#[test]
fn what_is_unused_for_that_long_is_forgotten_and_said() {
    let store = Store::new();
    let old = store.port(&["upkeep/old"]);
    let new = store.port(&["upkeep/new"]);
    store.age(old, 31 * DAY);
    store.age(new, 29 * DAY);
    let done = store.run(&["--prune", "30d"]).success().stdout("");
    has(
        &stderr(&done),
        &["upkeep/old", &old.to_string(), "31 days ago"],
    );
    assert_eq!(store.assignments(), [("upkeep/new".to_owned(), new)]);

    let done = store.run(&["--prune", "30d"]).success().stdout("");
    has(&stderr(&done), &["nothing"]);
}

#[test]
fn what_is_held_and_was_taken_lately_is_no_matter() {
    let store = Store::new();
    let guard = store.library().guard("upkeep/held").unwrap();
    let old = store.port(&["upkeep/stale"]);
    store.age(old, 31 * DAY);
    store.run(&["--prune", "30d"]).success();
    assert_eq!(
        store.assignments(),
        [("upkeep/held".to_owned(), guard.port())]
    );
}

#[test]
fn an_exhausted_pool_is_pruned_and_that_is_said() {
    let store = Store::new();
    let (old, new) = (store.port(&["upkeep/a"]), store.port(&["upkeep/b"]));
    let pool = format!("{old},{new}");
    let ask = || {
        store
            .with(&["upkeep/c"])
            .env("PORT_FOR_POOL", &pool)
            .assert()
    };

    let before = store.text();
    has(
        &stderr(&ask().code(1).stdout("")),
        &["upkeep/c", "no port is left"],
    );
    assert_eq!(store.text(), before);

    store.age(old, 31 * DAY);
    let done = ask().success().stdout(format!("{old}\n"));
    has(&stderr(&done), &["30 days", "upkeep/a", &old.to_string()]);
    assert_eq!(
        store.assignments(),
        [("upkeep/b".to_owned(), new), ("upkeep/c".to_owned(), old)]
    );
}

#[test]
fn an_exhausted_pool_of_held_ports_stays() {
    let store = Store::new();
    let guard = store.library().guard("upkeep/kept").unwrap();
    store.age(guard.port(), 31 * DAY);
    let pool = guard.port().to_string();
    let done = store
        .with(&["upkeep/d"])
        .env("PORT_FOR_POOL", &pool)
        .assert();
    has(&stderr(&done.code(1)), &["no port is left"]);
    assert_eq!(
        store.assignments(),
        [("upkeep/kept".to_owned(), guard.port())]
    );
}
