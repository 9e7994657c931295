//! Ports that belong together.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::{TcpListener, TcpStream};
use std::thread;

use port_for::{ErrorKind, OnBusy, PortFor, PortGuard, PortSet};

use crate::support::child::test_name;
use crate::support::{ChildTest, PATIENCE, TempStore, report, told, wait_for_parent};

fn ports(guards: &[PortGuard]) -> Vec<u16> {
    guards.iter().map(PortGuard::port).collect()
}

/// What the store has, as it stands in its file.
fn file(store: &TempStore) -> BTreeMap<String, u16> {
    let text = store
        .text()
        .unwrap_or_else(|| r#"{"ports": {}}"#.to_owned());
    let text: serde_json::Value = serde_json::from_str(&text).unwrap();
    serde_json::from_value(text["ports"].clone()).unwrap()
}

#[test]
fn a_block_is_consecutive_held_and_the_same_the_next_time() {
    let store = TempStore::new();
    let ask = || store.request(&store.api).block(4).guards().unwrap();
    let guards = ask();
    let first = guards[0].port();
    assert_eq!(ports(&guards), [first, first + 1, first + 2, first + 3]);
    let good = PortSet::good();
    assert!(guards.iter().all(|guard| good.contains(guard.port())));
    for guard in &guards {
        TcpListener::bind(guard.addr()).unwrap_err();
    }
    let names: Vec<_> = guards.iter().map(|guard| guard.id().unwrap()).collect();
    let api = &*store.api;
    let [second, third] = [1, 2].map(|nth| format!("{api}+{nth}"));
    assert_eq!(names[..3], [api, &second, &third]);
    drop(guards);
    assert_eq!(ask()[0].port(), first);
}

#[test]
fn companions_are_so_much_higher_and_belong_to_their_guard() {
    let store = TempStore::new();
    let request = || {
        store
            .request(&store.api)
            .block(2)
            .companions([10_000, 5_000])
    };
    let mut guards = request().guards().unwrap();
    let port = guards[1].port();
    assert_eq!(guards[1].companions(), [port + 10_000, port + 5_000]);
    let ephemeral = &PortSet::ephemeral() - &PortSet::reserved();
    for guard in &guards {
        for &companion in guard.companions() {
            assert!(!ephemeral.contains(companion));
            TcpListener::bind(("127.0.0.1", companion)).unwrap_err();
        }
    }
    let bind = |port| TcpListener::bind(("127.0.0.1", port));
    // Vacated, held and closed along with their guard, and with no other.
    guards[0].vacate().unwrap();
    let first = guards[0].companions()[0];
    drop(bind(first).unwrap());
    bind(guards[1].companions()[0]).unwrap_err();
    guards[0].rearm().unwrap();
    bind(first).unwrap_err();
    // A listener that is taken leaves them held.
    let listener = guards[0].take_listener().unwrap();
    bind(first).unwrap_err();
    drop(listener);
    let all = guards.iter().flat_map(|guard| {
        let own = [guard.port()].into_iter();
        own.chain(guard.companions().iter().copied())
    });
    let all: Vec<u16> = all.collect();
    drop(guards);
    for port in all {
        TcpStream::connect(("127.0.0.1", port)).unwrap_err();
    }
    assert_eq!(request().guards().unwrap()[1].port(), port);
}

/// A stranger on a companion keeps a guard from being held again, and the rest stays as it was.
#[test]
fn a_guard_whose_companion_is_taken_is_not_held_again() {
    let store = TempStore::new();
    let mut guard = store
        .request(&store.api)
        .companions([10_000])
        .guard()
        .unwrap();
    guard.vacate().unwrap();
    let server = TcpListener::bind(("127.0.0.1", guard.companions()[0])).unwrap();
    let error = guard.rearm().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Handoff);
    let named = format!("its companion {}", guard.companions()[0]);
    assert!(error.to_string().contains(&named), "{error}");
    drop(TcpListener::bind(guard.addr()).unwrap());
    drop(server);
    guard.rearm().unwrap();
    TcpListener::bind(guard.addr()).unwrap_err();
}

#[test]
fn the_store_names_each_port_and_the_id_stands_for_all() {
    let store = TempStore::new();
    let request = || store.request("cluster").block(2).companions([10_000]);
    let first = request().assign().unwrap();
    let names = ["cluster", "cluster+1", "cluster+10000", "cluster+10001"];
    let expected = names.map(str::to_owned).into_iter();
    let numbers = [first, first + 1, first + 10_000, first + 10_001];
    assert_eq!(file(&store), expected.zip(numbers).collect());
    let all = store.assignments().unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!((all[0].id(), all[0].port()), ("cluster", first));
    assert_eq!(all[0].ports(), numbers);

    // Held, none of it can be forgotten.
    let guards = request().guards().unwrap();
    assert!(store.assignments().unwrap()[0].holder().is_some());
    let busy = store.release("cluster").unwrap_err();
    assert_eq!(busy.kind(), ErrorKind::Busy);
    assert!(store.prune(std::time::Duration::ZERO).unwrap().is_empty());
    drop(guards);
    // One port of it cannot be forgotten by itself.
    let part = store.release("cluster+1").unwrap_err();
    assert_eq!(part.kind(), ErrorKind::Conflict);
    assert_eq!(file(&store).len(), 4);
    assert_eq!(store.release("cluster").unwrap(), Some(first));
    assert!(file(&store).is_empty());
    // On Windows, lock files are not removed.
    if cfg!(unix) {
        let leases = std::fs::read_dir(store.leases()).unwrap().count();
        assert_eq!(leases, 0);
    }

    request().assign().unwrap();
    let forgotten = store.prune(std::time::Duration::ZERO).unwrap();
    assert_eq!(forgotten.len(), 1);
    assert_eq!(forgotten[0].ports().len(), 4);
    assert!(file(&store).is_empty());
}

/// A group in use keeps all of its ports, although only the first one's number was asked for lately.
#[test]
fn a_use_of_the_number_keeps_all_of_a_group() {
    let store = TempStore::new();
    store.request("cluster").block(3).guards().unwrap();
    let day = std::time::Duration::from_secs(86_400);
    for port in store.assignments().unwrap()[0].ports() {
        let lease = std::fs::File::options()
            .write(true)
            .open(store.lease(*port));
        lease
            .unwrap()
            .set_modified(std::time::SystemTime::now() - 2 * day)
            .unwrap();
    }
    store.request("cluster").assign().unwrap();
    assert!(store.prune(day).unwrap().is_empty());
    assert_eq!(file(&store).len(), 3);
}

#[test]
fn what_a_group_is_asked_for_as_must_go_with_what_it_is() {
    let store = TempStore::new();
    let first = store.request("cluster").block(3).assign().unwrap();
    let conflict = |asked: Result<Vec<PortGuard>, port_for::Error>, said: &str| {
        let error = asked.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        for said in [said, "cluster"] {
            assert!(error.to_string().contains(said), "{error}");
        }
    };
    let has = format!(
        "it has port {first}, and with it {}, {}",
        first + 1,
        first + 2
    );
    conflict(store.request("cluster").block(2).guards(), &has);
    conflict(store.request("cluster").guards(), &has);
    conflict(store.request("cluster").companions([10_000]).guards(), &has);
    conflict(
        store.request("cluster").guard().map(|guard| vec![guard]),
        "--unbind",
    );
    // One guard has one port.
    conflict(
        store
            .request("cluster")
            .block(3)
            .guard()
            .map(|guard| vec![guard]),
        "use `guards()`",
    );
    // No id of its own can have the name of one of its ports.
    conflict(
        store.request("cluster+1").guards(),
        "is a port of the group `cluster`",
    );
    // The number alone does no harm.
    assert_eq!(store.request("cluster").assign().unwrap(), first);
    assert_eq!(store.forward_port("cluster", 8000).unwrap(), first);
    assert_eq!(file(&store).len(), 3);
}

/// The handle has read the store before.
#[test]
fn an_id_that_has_become_a_group_is_none_for_those_who_knew_it_alone() {
    let store = TempStore::new();
    let other = store.reopened();
    let first = other.guard(&store.api).unwrap().port();
    store.request(&store.api).block(2).assign().unwrap();
    let error = other.guard(&store.api).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert_eq!(
        other.request(&store.api).block(2).guards().unwrap()[0].port(),
        first
    );
}

#[test]
fn a_group_grows_in_place_where_there_is_room_and_says_so_where_there_is_none() {
    let store = TempStore::new();
    let first = store.forward_port("cluster", 0).unwrap();
    let next = || store.request("next").exact_port(first + 3).assign();
    assert_eq!(store.request("cluster").block(3).assign().unwrap(), first);
    assert_eq!(file(&store)["cluster+2"], first + 2);
    next().unwrap();
    let error = store.request("cluster").block(4).guards().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let said = format!("that takes port {}, which another id has", first + 3);
    assert!(error.to_string().contains(&said), "{error}");
    assert!(error.to_string().contains("--unbind cluster"), "{error}");
    store.release("next").unwrap();
    let with = store.request("cluster").block(4).companions([10_000]);
    assert_eq!(with.assign().unwrap(), first);
    assert_eq!(file(&store).len(), 8);
}

#[test]
fn an_id_of_its_own_in_the_place_of_a_port_is_told_apart() {
    let store = TempStore::new();
    let own = store.forward_port("cluster+1", 0).unwrap();
    let error = store.request("cluster").block(2).guards().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let said = "`cluster+1` is an id of its own";
    assert!(error.to_string().contains(said), "{error}");
    assert!(error.to_string().contains("--unbind cluster+1"), "{error}");
    assert_eq!(file(&store).get("cluster+1"), Some(&own));
}

#[test]
fn an_assignment_that_was_edited_away_comes_back_where_it_was() {
    let store = TempStore::new();
    let request = || store.request("cluster").block(3).companions([10_000]);
    let first = request().assign().unwrap();
    let whole = file(&store);
    for gone in ["cluster+1", "cluster+10002", "cluster"] {
        let mut edited = whole.clone();
        edited.remove(gone);
        store.write(&edited);
        assert_eq!(request().assign().unwrap(), first, "{gone}");
        assert_eq!(file(&store), whole);
    }
    // Another id has it by now.
    let mut edited = whole.clone();
    edited.remove("cluster+1");
    edited.insert("other".to_owned(), first + 1);
    store.write(&edited);
    let error = request().guards().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(
        error.to_string().contains("which another id has"),
        "{error}"
    );
    assert!(error.to_string().contains("--unbind cluster"), "{error}");
}

#[test]
fn what_cannot_be_is_an_error_with_its_reason() {
    let store = TempStore::new();
    let ask = |block: u16, companions: &[u16]| {
        let request = store.request("cluster").block(block);
        request
            .companions(companions.iter().copied())
            .guards()
            .unwrap_err()
    };
    let ephemeral = &PortSet::ephemeral() - &PortSet::reserved();
    for (block, companions, reason) in [
        (0, &[][..], "from 1 to 1000"),
        (1001, &[], "from 1 to 1000"),
        (1, &[0], "the companion 0 is within the block"),
        (3, &[2], "the companion 2 is within the block"),
        (1, &[10_000, 10_000], "the companion 10000 is there twice"),
        (1, &[65_530], "the companion 65530"),
    ] {
        let error = ask(block, companions);
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
        assert!(error.to_string().contains(reason), "{error}");
        assert_eq!(error.id(), Some("cluster"));
    }
    // From each of these ports, it leads to one that outgoing connections get.
    if let Some(range) = ephemeral.ranges().next() {
        let offset = range.start() - 20_000;
        let request = store
            .request("cluster")
            .ports("20000-20010".parse().unwrap());
        let error = request.companions([offset]).guards().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
        assert!(
            error.to_string().contains("outgoing connections"),
            "{error}"
        );
        assert!(
            error
                .to_string()
                .contains(&format!("the companion {offset}")),
            "{error}"
        );
    }
    assert!(store.text().is_none());
}

/// Beside strangers, a smaller one would fit.
#[test]
fn a_block_without_room_says_how_large_one_could_be() {
    let store = TempStore::new();
    let pool: PortSet = "20100-20104,20200-20202".parse().unwrap();
    let ask = |block| {
        store
            .request("cluster")
            .ports(pool.clone())
            .block(block)
            .guards()
    };
    let error = ask(6).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exhausted, "{error}");
    let message = error.to_string();
    let (_, rest) = message
        .split_once("the largest block that would fit has ")
        .unwrap();
    let largest: u16 = rest.split(' ').next().unwrap().parse().unwrap();
    assert!(largest <= 5, "{message}");
    let error = store
        .any()
        .ports(pool.clone())
        .block(6)
        .guards()
        .unwrap_err();
    assert!(error.to_string().contains("the largest block"), "{error}");
}

#[test]
fn groups_without_an_id_are_free_ports_in_a_row() {
    let store = TempStore::new();
    let guards = store.any().block(3).companions([10_000]).guards().unwrap();
    let first = guards[0].port();
    assert_eq!(ports(&guards), [first, first + 1, first + 2]);
    assert_eq!(guards[2].companions(), [first + 10_002]);
    assert!(guards.iter().all(|guard| guard.id().is_none()));
    assert!(store.text().is_none());
    let number = guards[0].port();
    drop(guards);
    let guards = store.port(number).block(2).guards().unwrap();
    assert_eq!(ports(&guards), [number, number + 1]);
}

#[test]
fn groups_and_others_are_had_together_in_the_order_that_they_are_asked_for() {
    let store = TempStore::new();
    let asks = [
        store.request("api"),
        store.request("cluster").block(3),
        store.any().block(2),
        store.request("db").companions([10_000]),
    ];
    let guards = store.guard_all(asks).unwrap();
    assert_eq!(guards.len(), 7);
    let ids: Vec<_> = guards.iter().map(PortGuard::id).collect();
    let expected = ["api", "cluster", "cluster+1", "cluster+2"].map(Some);
    assert_eq!(ids[..4], expected);
    assert_eq!(ids[4..], [None, None, Some("db")]);
    let all: HashSet<_> = ports(&guards).into_iter().collect();
    assert_eq!(all.len(), 7);
    // A port in two groups would wait for itself.
    let [api, cluster] = [guards[0].port(), guards[1].port()];
    drop(guards);
    let twice = [store.request("cluster").block(3), store.port(cluster + 1)];
    assert_eq!(
        store.guard_all(twice).unwrap_err().kind(),
        ErrorKind::Deadlock
    );
    assert_eq!(store.guard("api").unwrap().port(), api);
}

#[test]
fn a_stranger_on_one_port_is_named_with_it_and_moves_the_whole() {
    let store = TempStore::new();
    let request = || store.request(&store.api).block(3);
    let first = request().assign().unwrap();
    let stranger = TcpListener::bind(("127.0.0.1", first + 1)).unwrap();
    let error = request().on_busy(OnBusy::Fail).guards().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Occupied);
    let named = format!("`{}+1` (port {})", store.api, first + 1);
    assert!(error.to_string().contains(&named), "{error}");
    // The command that it names releases all.
    let quote = if cfg!(windows) { '"' } else { '\'' };
    assert!(
        error.to_string().contains(&format!("{}{quote}", store.api)),
        "{error}"
    );
    // None is held meanwhile.
    drop(TcpListener::bind(("127.0.0.1", first)).unwrap());
    let moved = request().on_busy(OnBusy::Move).guards().unwrap();
    assert!(
        moved
            .iter()
            .all(|guard| !(first..first + 3).contains(&guard.port()))
    );
    assert_eq!(file(&store).len(), 3);
    assert_eq!(file(&store)[&format!("{}+2", store.api)], moved[2].port());
    drop(stranger);
}

#[test]
fn the_holder_of_one_port_keeps_the_whole_from_others() {
    let store = TempStore::new();
    let first = store.request("cluster").block(3).assign().unwrap();
    let held = store.port(first + 2).guard().unwrap();
    let request = || store.request("cluster").block(3);
    let busy = request().on_busy(OnBusy::Fail).guards().unwrap_err();
    assert_eq!(
        (busy.kind(), busy.port()),
        (ErrorKind::Busy, Some(first + 2))
    );
    // Nothing of the rest is kept.
    assert_eq!(store.port(first).guard().unwrap().port(), first);
    let waiter = thread::spawn({
        let store = store.reopened();
        move || store.request("cluster").block(3).timeout(PATIENCE).guards()
    });
    drop(held);
    assert_eq!(
        ports(&waiter.join().unwrap().unwrap()),
        [first, first + 1, first + 2]
    );
}

#[test]
fn a_demanded_block_begins_where_it_is_demanded() {
    let store = TempStore::new();
    let first = store.any().block(3).guards().unwrap()[0].port();
    let request = || store.request("cluster").exact_port(first).block(3);
    assert_eq!(request().assign().unwrap(), first);
    assert_eq!(file(&store).len(), 3);
    let other = store
        .request("other")
        .exact_port(first + 1)
        .assign()
        .unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Conflict);
    assert!(other.to_string().contains("cluster+1"), "{other}");
    let high = store
        .request("high")
        .exact_port(65_535)
        .block(2)
        .guards()
        .unwrap_err();
    assert_eq!(high.kind(), ErrorKind::InvalidRequest, "{high}");
    assert!(high.to_string().contains("65535"), "{high}");
}

#[test]
#[ignore = "a process for another test"]
fn child_asks() {
    let Some((path, what)) = told() else { return };
    let store = PortFor::open(path).unwrap();
    report("ready");
    wait_for_parent();
    let (id, block) = what.rsplit_once(' ').unwrap();
    let first = store.request(id).block(block.parse().unwrap()).assign();
    report(first.unwrap());
}

fn ask_at_once(store: &TempStore, asks: impl Iterator<Item = String>) -> Vec<u16> {
    let mut children: Vec<_> = asks
        .map(|ask| ChildTest::start(test_name!(child_asks), store.path(), &ask))
        .collect();
    for child in &mut children {
        assert_eq!(child.line(), "ready");
    }
    children.iter_mut().for_each(ChildTest::go_on);
    children
        .iter_mut()
        .map(|child| child.line().parse().unwrap())
        .collect()
}

#[test]
fn processes_that_ask_for_one_new_block_at_once_get_one() {
    for _ in 0..20 {
        let store = TempStore::new();
        let firsts = ask_at_once(&store, (0..16).map(|_| format!("{} 4", store.api)));
        assert_eq!(
            firsts.iter().collect::<BTreeSet<_>>().len(),
            1,
            "{firsts:?}"
        );
        assert_eq!(file(&store).len(), 4);
    }
}

#[test]
fn blocks_that_are_asked_for_at_once_have_no_port_in_common() {
    let store = TempStore::new();
    let firsts = ask_at_once(&store, (0..16).map(|nth| format!("cluster {nth} 5")));
    let all: BTreeSet<_> = firsts.iter().flat_map(|&first| first..first + 5).collect();
    assert_eq!(all.len(), 80);
    assert_eq!(file(&store).len(), 80);
}
