//! The life of a shared server: started by the first, stopped after the last.

use std::thread;
use std::time::{Duration, Instant};

use port_for::PortFor;

use crate::server::{LINGER, ask, id, keeper, lives, recipe, request, start, starts};
use crate::support::child::test_name;
use crate::support::{ChildTest, TempStore, eventually, report, told, wait_for_parent};

#[test]
fn threads_share_one_server_which_ends_after_them() {
    let store = TempStore::new();
    let pids: Vec<u32> = thread::scope(|scope| {
        let users: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let server = start(&store);
                    assert!(server.is_running());
                    assert_eq!(ask(server.addr()).unwrap(), server.id());
                    server.id()
                })
            })
            .collect();
        users.into_iter().map(|user| user.join().unwrap()).collect()
    });
    assert_eq!(starts(store.path()), [pids[0].to_string()]);
    assert!(pids.iter().all(|pid| *pid == pids[0]));
    let keeper = keeper(&store);
    eventually("the end of the server", || !lives(pids[0]));
    eventually("the end of its keeper", || !lives(keeper));
}

#[test]
fn processes_share_one_server() {
    let store = TempStore::new();
    let mut users: Vec<_> = (0..8)
        .map(|_| ChildTest::start(test_name!(uses), store.path(), ""))
        .collect();
    let pids: Vec<_> = users.iter_mut().map(ChildTest::line).collect();
    assert_eq!(starts(store.path()), [pids[0].clone()]);
    assert!(pids.iter().all(|pid| *pid == pids[0]));
    for user in users {
        user.join();
    }
}

#[test]
#[ignore = "a user for other tests"]
pub fn uses() {
    let Some((path, _)) = told() else { return };
    let store = PortFor::open(&path).unwrap();
    let server = request(&store).start_shared(&recipe(&path)).unwrap();
    report(ask(server.addr()).unwrap());
    wait_for_parent();
}

#[test]
fn it_lingers_for_the_next_user_and_the_longest_linger_counts() {
    let store = TempStore::new();
    let first = start(&store);
    let pid = first.id();
    let long = request(&store).linger(Duration::from_secs(30));
    drop(long.start_shared(&recipe(store.path())).unwrap());
    drop(first);
    // Longer than the first user wanted it to live on. The pause is the load.
    thread::sleep(LINGER * 3);
    let next = start(&store);
    assert_eq!(next.id(), pid);
    crate::server::kill(keeper(&store));
}

#[test]
fn after_its_end_the_next_user_starts_another_on_the_same_port() {
    let store = TempStore::new();
    let first = start(&store);
    let (port, pid) = (first.port(), first.id());
    drop(first);
    eventually("the end of the server", || !lives(pid));
    let second = start(&store);
    assert_eq!(second.port(), port);
    assert_ne!(second.id(), pid);
    assert_eq!(starts(store.path()).len(), 2);
}

#[test]
fn joining_a_server_that_runs_takes_no_time_to_speak_of() {
    const ROUNDS: u32 = 50;
    let store = TempStore::new();
    let _first = start(&store);
    let recipe = recipe(store.path());
    let began = Instant::now();
    for _ in 0..ROUNDS {
        drop(request(&store).start_shared(&recipe).unwrap());
    }
    // It takes less than a millisecond; this only fails if something waits.
    assert!(began.elapsed() < ROUNDS * Duration::from_millis(100));
}

#[test]
fn its_output_is_read_by_every_user() {
    let store = TempStore::new();
    let (one, two) = (start(&store), start(&store));
    eventually("its first line", || {
        one.output().unwrap().contains("serves at")
    });
    assert_eq!(one.output().unwrap(), two.output().unwrap());
}

/// The variables of one run are not those of a server of all.
#[test]
fn the_server_does_not_inherit_what_belongs_to_one_run() {
    let store = TempStore::new();
    let server = start(&store);
    let environment = std::fs::read(format!("/proc/{}/environ", server.id())).unwrap();
    let names: Vec<_> = environment
        .split(|&byte| byte == 0)
        .map(|variable| String::from_utf8_lossy(variable).into_owned())
        .filter(|variable| {
            ["NEXTEST", "CARGO", "LISTEN_", "PORT_FOR_"]
                .iter()
                .any(|of_the_run| variable.starts_with(of_the_run))
                // Whose server it is: the keeper's.
                && !variable.starts_with("PORT_FOR_OWNER=")
        })
        .collect();
    assert!(names.is_empty(), "{names:?}");
    let folder = std::fs::read_link(format!("/proc/{}/cwd", server.id())).unwrap();
    assert_ne!(folder, std::env::current_dir().unwrap());
}

#[test]
fn start_and_shared_of_one_id_take_turns() {
    let store = TempStore::new();
    let shared = start(&store);
    let pid = shared.id();
    let at_once = store
        .request(&id(&store))
        .timeout(Duration::from_millis(50));
    let error = at_once.guard().unwrap_err();
    assert_eq!(error.kind(), port_for::ErrorKind::Busy);
    assert!(
        error.to_string().contains("port-for-keeper of shared "),
        "{error}"
    );
    drop(shared);
    let guard = store.guard(&id(&store)).unwrap();
    assert!(!lives(pid));
    let soon = request(&store).timeout(Duration::from_millis(50));
    let error = soon.start_shared(&recipe(store.path())).unwrap_err();
    assert_eq!(error.kind(), port_for::ErrorKind::Busy);
    let us = format!("process {} ", std::process::id());
    assert!(error.to_string().contains(&us), "{error}");
    drop(guard);
    drop(start(&store));
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn tasks_of_one_thread_share_it_too() {
    let store = TempStore::new();
    let recipe = recipe(store.path());
    let (request, other) = (request(&store), request(&store));
    let spawned = recipe.clone();
    let two = tokio::spawn(async move { other.start_shared_async(&spawned).await });
    let one = request.start_shared_async(&recipe).await;
    assert_eq!(one.unwrap().id(), two.await.unwrap().unwrap().id());
    assert_eq!(starts(store.path()).len(), 1);
}
