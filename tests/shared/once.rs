//! What is done once in a server's life.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use port_for::{ErrorKind, OnceError, PortFor};

use crate::server::{lives, recipe, request, start};
use crate::support::child::test_name;
use crate::support::{ChildTest, TempStore, eventually, report, told, wait_for_parent};

#[test]
fn one_user_runs_it_and_all_get_its_text() {
    let store = TempStore::new();
    let runs = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let server = start(&store);
                let value = server.once("schema", |addr| {
                    assert_eq!(addr, server.addr());
                    let run = runs.fetch_add(1, Ordering::Relaxed);
                    Ok::<_, String>(format!("made by {run}\n\"é\""))
                });
                assert_eq!(value.unwrap(), "made by 0\n\"é\"");
            });
        }
    });
    assert_eq!(runs.into_inner(), 1);
}

#[test]
fn each_key_and_each_life_has_its_own() {
    let store = TempStore::new();
    let server = start(&store);
    let once = |server: &port_for::SharedServer, key, value: &str| {
        server
            .once(key, |_| Ok::<_, String>(value.to_owned()))
            .unwrap()
    };
    assert_eq!(once(&server, "a", "1"), "1");
    assert_eq!(once(&server, "b", "2"), "2");
    assert_eq!(once(&server, "a", "3"), "1");
    let pid = server.id();
    drop(server);
    eventually("the end of the server", || !lives(pid));
    let server = start(&store);
    assert_eq!(once(&server, "a", "4"), "4");
}

#[test]
fn its_error_is_the_callers_and_the_next_one_tries() {
    let store = TempStore::new();
    let (one, two) = (start(&store), start(&store));
    let error = one.once("x", |_| Err("no luck")).unwrap_err();
    assert!(matches!(error, OnceError::Init("no luck")), "{error}");
    assert_eq!(
        two.once("x", |_| Ok::<_, String>("luck".to_owned()))
            .unwrap(),
        "luck"
    );
    assert_eq!(one.once("x", |_| Err("no luck")).unwrap(), "luck");
}

#[test]
#[ignore = "a user for another test"]
fn hangs() {
    let Some((path, _)) = told() else { return };
    let store = PortFor::open(&path).unwrap();
    let server = request(&store).start_shared(&recipe(&path)).unwrap();
    let value = server.once("x", |_| {
        report("in it");
        wait_for_parent();
        Err::<String, _>("the parent was to kill this")
    });
    value.unwrap();
}

#[test]
fn when_its_user_is_killed_the_next_takes_over() {
    let store = TempStore::new();
    let server = start(&store);
    let mut user = ChildTest::start(test_name!(hangs), store.path(), "");
    assert_eq!(user.line(), "in it");
    thread::scope(|scope| {
        let next = scope.spawn(|| server.once("x", |_| Ok::<_, String>("taken over".to_owned())));
        user.kill();
        assert_eq!(next.join().unwrap().unwrap(), "taken over");
    });
}

#[test]
fn nothing_is_run_on_a_server_that_has_ended() {
    let store = TempStore::new();
    let server = start(&store);
    crate::server::kill(server.id());
    eventually("that it has ended", || !server.is_running());
    let error = server
        .once("x", |_| Ok::<_, String>(String::new()))
        .unwrap_err();
    match error {
        OnceError::Port(error) => assert_eq!(error.kind(), ErrorKind::Server),
        OnceError::Init(error) => panic!("{error}"),
    }
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn tasks_wait_for_it_without_stopping_each_other() {
    let store = TempStore::new();
    let recipe = recipe(store.path());
    let server = request(&store).start_shared_async(&recipe).await.unwrap();
    let (go, gone) = tokio::sync::oneshot::channel();
    let first = server.once_async("x", async |_| {
        gone.await.unwrap();
        Ok::<_, String>("made".to_owned())
    });
    let second = server.once_async("x", async |_| Err::<String, _>("not mine".to_owned()));
    let (first, second, ()) = tokio::join!(first, second, async { go.send(()).unwrap() });
    assert_eq!(
        (first.unwrap(), second.unwrap()),
        ("made".to_owned(), "made".to_owned())
    );
}
