//! A port that another process has: waiting, giving up, and naming that process.

use std::io::BufRead;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use port_for::{ErrorKind, Holder, OnBusy, PortFor};

use crate::support::child::test_name;
use crate::support::{ChildTest, TempStore, command, eventually, report, told, wait_for_parent};

/// Holds the id it is told until its parent says a word.
#[test]
#[ignore = "a child of other tests"]
fn child_holds() {
    let Some((store, id)) = told() else { return };
    let guard = PortFor::open(store).unwrap().guard(&id).unwrap();
    report(guard.port());
    wait_for_parent();
}

/// Listens on the port it is told, as a stranger does, until its parent says a word.
#[test]
#[ignore = "a child of other tests"]
fn child_listens() {
    let Some((_, port)) = told() else { return };
    let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.parse().unwrap())).unwrap();
    report("listening");
    wait_for_parent();
}

const HOLDS: &str = test_name!(child_holds);
const LISTENS: &str = test_name!(child_listens);

#[test]
fn a_killed_holder_leaves_nothing_behind() {
    let store = TempStore::new();
    for _ in 0..5 {
        let mut child = ChildTest::start(HOLDS, store.path(), &store.api);
        let port = child.line();
        child.kill();
        // One try, no waiting: the kernel has released the lease and the port with the process.
        let guard = store
            .request(&store.api)
            .timeout(Duration::ZERO)
            .guard()
            .unwrap();
        assert_eq!(guard.port().to_string(), port);
    }
}

#[test]
fn a_lease_that_is_not_free_in_time_is_an_error_that_names_the_holder() {
    let store = TempStore::new();
    let mut child = ChildTest::start(HOLDS, store.path(), &store.api);
    let port = child.line();
    let short = Duration::from_millis(100);
    let errors = [
        store
            .request(&store.api)
            .timeout(short)
            .guard()
            .map(drop)
            .unwrap_err(),
        store
            .request(&store.api)
            .timeout(Duration::ZERO)
            .guard()
            .map(drop)
            .unwrap_err(),
        store
            .request(&store.api)
            .on_busy(OnBusy::Fail)
            .guard()
            .map(drop)
            .unwrap_err(),
        store.release(&store.api).map(drop).unwrap_err(),
    ];
    let mut messages = Vec::new();
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Busy);
        let message = error.to_string();
        let pid = format!("process {}", child.id());
        for part in [
            "`api ",
            &port,
            &pid,
            "--exact acquire::busy::child_holds",
            HOLDS,
            ".lock`",
        ] {
            assert!(message.contains(part), "{message:?} lacks {part:?}");
        }
        messages.push(message);
    }
    for (message, advice) in messages.iter().zip([
        " s for the lease `",
        "longer timeout",
        "another `on_busy`",
        "let it end first",
    ]) {
        assert!(message.contains(advice), "{message:?} lacks {advice:?}");
        // That is not what said how long to wait.
        assert!(!message.contains("PORT_FOR_TIMEOUT"), "{message}");
    }
    let listed = store.assignments().unwrap();
    let holder = listed[0].holder().expect("the child holds it");
    assert_eq!(holder.pid(), Some(child.id()));
    assert_eq!(holder.test(), Some(HOLDS));
    assert!(holder.command().contains("--exact"));
    assert!(holder.since().unwrap() <= std::time::SystemTime::now());
    child.join();
    assert_eq!(store.assignments().unwrap()[0].holder(), None);
}

#[test]
fn whoever_writes_the_store_is_let_finish_whatever_the_timeout() {
    let store = TempStore::new();
    store.forward_port("old", 0).unwrap();
    let _locked = store.locked();
    let began = Instant::now();
    let at_once = store.request(&store.api).timeout(Duration::ZERO);
    let error = at_once.guard().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store, "{error}");
    // Most writes take less.
    assert!(began.elapsed() >= Duration::from_millis(10));
}

#[test]
fn a_test_of_nextest_is_named_as_nextest_names_it() {
    let store = TempStore::new();
    let mut holds = command(HOLDS, store.path(), &store.api);
    holds
        .env("NEXTEST_BINARY_ID", "my-crate::it")
        .env("NEXTEST_TEST_NAME", "login::works")
        .env("NEXTEST_ATTEMPT", "2");
    let mut child = ChildTest::run(&mut holds);
    child.line();
    let test = "my-crate::it login::works (attempt 2)";
    let listed = store.assignments().unwrap();
    assert_eq!(listed[0].holder().unwrap().test(), Some(test));
    let at_once = store.request(&store.api).timeout(Duration::ZERO);
    let message = at_once.guard().unwrap_err().to_string();
    assert!(message.contains(&format!("test `{test}`")), "{message}");
    child.join();
}

#[test]
fn who_waits_says_for_whom_and_then_gets_the_port() {
    let store = TempStore::new();
    let guard = store.guard(&store.api).unwrap();
    let mut waiting = command(HOLDS, store.path(), &store.api);
    let mut child = ChildTest::run(waiting.stderr(Stdio::piped()));
    let said = child
        .stderr()
        .lines()
        .map(Result::unwrap)
        .find(|line| line.contains("port-for:"));
    let said = said.expect("the child says something before it ends");
    let me = format!(
        "` (port {}) is held by process {}",
        guard.port(),
        std::process::id()
    );
    for part in [&*me, "who_waits_says_for_whom", "PORT_FOR_TIMEOUT"] {
        assert!(said.contains(part), "{said:?} lacks {part:?}");
    }
    let port = guard.port();
    drop(guard);
    assert_eq!(child.line(), port.to_string());
    child.join();
}

#[test]
fn what_is_in_the_way_is_said_after_a_second_and_once() {
    let store = TempStore::new();
    // Of both kinds of waiting there is one child, and both wait at the same time.
    let waits = |id: &str| {
        let mut waits = command(HOLDS, store.path(), id);
        waits.env("PORT_FOR_TIMEOUT", "4").stderr(Stdio::piped());
        ChildTest::run(&mut waits)
    };
    let guard = store.guard(&store.api).unwrap();
    let other = format!("other {}", store.api);
    let stranger = store.guard(&other).unwrap().take_listener().unwrap();
    for mut child in [waits(&store.api), waits(&other)] {
        let said: Vec<_> = (child.stderr().lines().map(Result::unwrap))
            .filter(|line| line.starts_with("port-for:"))
            .collect();
        child.ended();
        let [said] = &*said else {
            panic!("{said:?}");
        };
        let (_, waited) = said.split_once("waiting, ").unwrap();
        let (waited, _) = waited.split_once(" s so far").unwrap();
        assert!(waited.parse::<f64>().unwrap() >= 1.0, "{said}");
    }
    drop((guard, stranger));
}

#[test]
fn a_server_that_ends_just_after_its_guard_is_not_taken_for_a_stranger() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let listener = guard.take_listener().unwrap();
    let mut waiting = command(HOLDS, store.path(), &store.api);
    let mut child = ChildTest::run(waiting.stderr(Stdio::piped()));
    let mut said = child.stderr().lines().map(Result::unwrap);
    said.find(|line| line.contains("is held by"))
        .expect("the child says for whom it waits");
    drop(guard);
    let has_lease = || {
        store.assignments().unwrap()[0]
            .holder()
            .and_then(Holder::pid)
            == Some(child.id())
    };
    eventually("the child's lease", has_lease);
    drop(listener);
    child.line();
    child.join();
    let said: Vec<_> = said.filter(|line| line.contains("port-for:")).collect();
    assert!(said.is_empty(), "{said:?}");
}

#[test]
fn who_gives_up_at_once_still_waits_for_others_who_write_the_store() {
    let store = TempStore::new();
    let start = std::sync::Barrier::new(16);
    thread::scope(|scope| {
        for n in 0..16 {
            let (store, start) = (store.reopened(), &start);
            scope.spawn(move || {
                start.wait();
                let id = format!("new-{n} {}", store.path().display());
                drop(store.request(&id).on_busy(OnBusy::Fail).guard().unwrap());
            });
        }
    });
}

#[test]
fn a_known_id_is_never_moved_by_a_stranger_who_is_named_instead() {
    let store = TempStore::new();
    let port = store.forward_port(&store.api, 0).unwrap();
    let mut stranger = ChildTest::start(LISTENS, store.path(), &port.to_string());
    stranger.line();
    let errors = [
        store
            .request(&store.api)
            .timeout(Duration::from_millis(100))
            .guard()
            .map(drop)
            .unwrap_err(),
        store
            .request(&store.api)
            .on_busy(OnBusy::Fail)
            .guard()
            .map(drop)
            .unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Occupied);
        let message = error.to_string();
        assert!(message.contains(&port.to_string()), "{message}");
        if cfg!(target_os = "linux") {
            let pid = format!("process {} (`", stranger.id());
            for part in [&*pid, "--exact acquire::busy::child_listens"] {
                assert!(message.contains(part), "{message:?} lacks {part:?}");
            }
        }
    }
    stranger.join();
    let guard = store.guard(&store.api).unwrap();
    assert_eq!(guard.port(), port);
}

#[test]
fn a_stranger_who_goes_away_in_time_is_waited_for() {
    let store = TempStore::new();
    let port = store.forward_port(&store.api, 0).unwrap();
    let stranger = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| store.guard(&store.api).unwrap().port());
        drop(stranger);
        assert_eq!(waiter.join().unwrap(), port);
    });
}

#[test]
fn a_listener_that_outlived_its_guard_is_found_in_this_very_process() {
    let store = TempStore::new();
    let listener = store.guard(&store.api).unwrap().take_listener().unwrap();
    let error = store
        .request(&store.api)
        .timeout(Duration::ZERO)
        .guard()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Occupied);
    if cfg!(target_os = "linux") {
        let name = thread::current().name().unwrap().to_owned();
        let said = format!("test `{name}` took its listener");
        assert!(error.to_string().contains(&said), "{error}");
    }
    drop(listener);
}

#[test]
fn an_id_released_while_somebody_waits_for_it_is_assigned_anew() {
    let store = TempStore::new();
    let guard = store.guard(&store.api).unwrap();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| store.guard(&store.api).unwrap().port());
        drop(guard);
        // Whichever call comes first, the waiter gets a port that the store knows.
        match store.release(&store.api) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::Busy),
        }
        assert_eq!(
            store.forward_port(&store.api, 0).unwrap(),
            waiter.join().unwrap()
        );
    });
}

#[test]
fn a_port_that_another_id_has_by_now_is_not_waited_for() {
    let store = TempStore::new();
    let another = store.reopened();
    let port = another.guard(&store.api).unwrap().port();
    store.release(&store.api).unwrap();
    let other = store.request("other").exact_port(port).guard().unwrap();
    // By what it has read of the store, the port is still the id's.
    let guard = another.request(&store.api).on_busy(OnBusy::Fail).guard();
    assert_ne!(guard.unwrap().port(), other.port());
}

#[test]
fn a_release_beside_acquirers_never_gives_two_of_them_the_port() {
    let store = TempStore::new();
    let inside = std::sync::Mutex::new(());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let _guard = store.guard(&store.api).unwrap();
                    let alone = inside.try_lock();
                    assert!(alone.is_ok(), "two hold `api` at once");
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..100 {
                match store.release(&store.api) {
                    Ok(_) => {}
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Busy),
                }
            }
        });
    });
}
