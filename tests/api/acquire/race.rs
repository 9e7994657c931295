//! The race that the Python original loses: many processes ask for new ids at once.

use std::collections::HashSet;

use port_for::PortFor;

use crate::support::child::test_name;
use crate::support::{ChildTest, TempStore, report, told, wait_for_parent};

const PROCESSES: usize = 16;
/// To start a process takes Wine a tenth of a second and more.
const ROUNDS: usize = if cfg!(windows) { 3 } else { 20 };

/// Asks for the id it is told as soon as its parent says so.
#[test]
#[ignore = "a child of other tests"]
fn child_assigns() {
    let Some((store, id)) = told() else { return };
    report("ready");
    wait_for_parent();
    report(PortFor::open(store).unwrap().forward_port(&id, 0).unwrap());
}

/// The ports that as many processes get for these ids, asking at once.
fn ask_at_once(store: &TempStore, ids: &[String]) -> Vec<u16> {
    let mut children: Vec<_> = ids
        .iter()
        .map(|id| ChildTest::start(test_name!(child_assigns), store.path(), id))
        .collect();
    for child in &mut children {
        assert_eq!(child.line(), "ready");
    }
    children.iter_mut().for_each(ChildTest::go_on);
    let ports = children
        .iter_mut()
        .map(|child| child.line().parse().unwrap())
        .collect();
    children.into_iter().for_each(ChildTest::join);
    ports
}

#[test]
fn one_new_id_gets_one_port() {
    for round in 0..ROUNDS {
        let store = TempStore::new();
        let ports = ask_at_once(&store, &vec!["new".to_owned(); PROCESSES]);
        let different: HashSet<_> = ports.iter().collect();
        assert_eq!(different.len(), 1, "round {round}: {ports:?}");
        assert_eq!(store.forward_port("new", 0).unwrap(), ports[0]);
    }
}

#[test]
fn many_new_ids_are_all_remembered() {
    let store = TempStore::new();
    let mut given = Vec::new();
    for round in 0..ROUNDS {
        let ids: Vec<_> = (0..PROCESSES)
            .map(|n| format!("new-{round:02}-{n:02}"))
            .collect();
        let ports = ask_at_once(&store, &ids);
        given.extend(ids.into_iter().zip(ports));
    }
    let listed = store.assignments().unwrap();
    let remembered: Vec<_> = listed
        .iter()
        .map(|a| (a.id().to_owned(), a.port()))
        .collect();
    assert_eq!(remembered, given);
    let ports: HashSet<_> = given.iter().map(|(_, port)| port).collect();
    assert_eq!(ports.len(), PROCESSES * ROUNDS, "no port is there twice");
}
