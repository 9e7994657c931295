//! Async code: a wait for a port leaves the runtime's thread to others.

use std::net::{Ipv4Addr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use port_for::{ErrorKind, PortFor, PortGuard};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::{spawn, spawn_blocking, yield_now};

use crate::support::TempStore;

fn one_thread() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

/// Waits for the port in a task, sees to it that other tasks run meanwhile, and then ends what is in the way.
async fn wait_for(store: &TempStore, in_the_way: impl Sized) -> PortGuard {
    let (ports, id) = (PortFor::clone(store), store.api.clone());
    let (asks, asked) = oneshot::channel();
    let waiter = spawn(async move {
        asks.send(()).unwrap();
        ports.guard_async(&id).await.unwrap()
    });
    asked.await.unwrap();
    for _ in 0..100 {
        yield_now().await;
        assert!(!waiter.is_finished());
    }
    drop(in_the_way);
    waiter.await.unwrap()
}

#[test]
fn a_port_that_is_free_is_had_without_a_wait_and_without_a_runtime() {
    let store = TempStore::new();
    let future = pin!(store.guard_async(&store.api));
    let polled = future.poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(guard) = polled else {
        panic!("it waits");
    };
    assert_eq!(guard.unwrap().id(), Some(&*store.api));
}

#[test]
fn a_task_that_waits_for_a_holder_lets_others_run() {
    let store = TempStore::new();
    one_thread().block_on(async {
        let first = store.guard_async(&store.api).await.unwrap();
        let port = first.port();
        assert_eq!(wait_for(&store, first).await.port(), port);
    });
}

#[test]
fn a_task_that_waits_for_a_stranger_lets_others_run() {
    let store = TempStore::new();
    let port = store.forward_port(&store.api, 0).unwrap();
    let stranger = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    one_thread().block_on(async {
        assert_eq!(wait_for(&store, stranger).await.port(), port);
    });
}

#[test]
fn a_task_that_waits_for_the_store_lets_others_run() {
    let store = TempStore::new();
    store.forward_port("another", 0).unwrap();
    let locked = store.locked();
    one_thread().block_on(async {
        drop(wait_for(&store, locked).await);
    });
}

#[test]
fn a_store_that_stays_locked_is_told_with_the_time_waited() {
    let store = TempStore::new();
    store.forward_port("another", 0).unwrap();
    let _locked = store.locked();
    let request = store
        .request(&store.api)
        .timeout(Duration::from_millis(300));
    let error = one_thread().block_on(request.guard_async()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    let message = error.to_string();
    let told = message.split_once("held for ").unwrap().1;
    let told: f64 = told.split_once(" s ").unwrap().0.parse().unwrap();
    // Somewhat longer where others are let run instead.
    assert!((0.3..30.0).contains(&told), "{message}");
}

#[test]
fn parts_of_one_task_take_turns() {
    let store = TempStore::new();
    one_thread().block_on(async {
        let first = store.guard_async(&store.api).await.unwrap();
        let (second, ()) = tokio::join!(store.guard_async(&store.api), async {
            for _ in 0..100 {
                yield_now().await;
            }
            drop(first);
        });
        drop(second.unwrap());
    });
}

#[test]
fn several_ports_are_waited_for_in_a_task_too() {
    let store = TempStore::new();
    let [a, b] = ["a", "b"].map(|name| format!("{name} {}", store.api));
    one_thread().block_on(async {
        let first = store.guards_async([&a, &b]).await.unwrap();
        let (second, ()) = tokio::join!(store.guards_async([&b, &a]), async {
            for guard in first {
                yield_now().await;
                drop(guard);
            }
        });
        let [b_guard, a_guard] = second.unwrap();
        assert_eq!([a_guard.id(), b_guard.id()], [Some(&*a), Some(&*b)]);
        let error = store.guards_async([&a, &a]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Deadlock);
    });
}

#[test]
fn a_port_that_stays_busy_is_an_error_that_points_at_this_process() {
    let store = TempStore::new();
    one_thread().block_on(async {
        let _guard = store.guard_async(&store.api).await.unwrap();
        let request = store.request(&store.api).timeout(Duration::from_millis(50));
        let error = request.guard_async().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Busy);
        let message = error.to_string();
        for part in [
            "a_port_that_stays_busy_is_an_error_that_points_at_this_process",
            "this very process",
        ] {
            assert!(message.contains(part), "{message:?} lacks {part:?}");
        }
    });
}

#[test]
fn a_waiter_that_is_dropped_leaves_nothing_behind() {
    let store = TempStore::new();
    let runtime = one_thread();
    let first = runtime.block_on(async {
        let first = store.guard_async(&store.api).await.unwrap();
        tokio::select! {
            biased;
            _ = store.guard_async(&store.api) => panic!("two have the port"),
            () = async { for _ in 0..100 { yield_now().await } } => {}
        }
        first
    });
    // A runtime does not end before its blocking calls do.
    let ends = Instant::now();
    drop(runtime);
    assert!(ends.elapsed() < Duration::from_secs(10));
    drop(first);
    let at_once = store.request(&store.api).timeout(Duration::ZERO);
    drop(at_once.guard().unwrap());
}

#[test]
fn tasks_on_few_threads_take_turns() {
    let store = TempStore::new();
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..16)
            .map(|_| {
                let (ports, id) = (PortFor::clone(&store), store.api.clone());
                spawn(async move {
                    for _ in 0..5 {
                        let guard = ports.guard_async(&id).await.unwrap();
                        // To another thread, perhaps.
                        yield_now().await;
                        guard.close().unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

#[test]
fn a_thread_for_blocking_calls_is_not_taken_for_what_it_called_before() {
    let store = TempStore::new();
    let runtime = Builder::new_current_thread()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    runtime.block_on(async {
        let ask = || {
            let (ports, id) = (PortFor::clone(&store), store.api.clone());
            spawn_blocking(move || ports.guard(&id))
        };
        let first = ask().await.unwrap().unwrap();
        let second = ask();
        for _ in 0..100 {
            yield_now().await;
        }
        drop(first);
        drop(second.await.unwrap().unwrap());
    });
}

#[test]
fn threads_for_blocking_calls_that_are_all_busy_keep_no_waiter() {
    let store = TempStore::new();
    let runtime = Builder::new_current_thread()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    let _held = store.guard(&store.api).unwrap();
    let (end, ends) = std::sync::mpsc::channel::<()>();
    runtime.block_on(async {
        let busy = spawn_blocking(move || ends.recv_timeout(Duration::from_secs(30)));
        let request = store.request(&store.api);
        let short = request.timeout(Duration::from_millis(50));
        let error = short.guard_async().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Busy);
        assert!(!busy.is_finished(), "it was waited for: {error}");
        drop(end);
        busy.await.unwrap().unwrap_err();
    });
}

/// Wakes the thread that polls.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[test]
fn whatever_runs_the_task_is_not_stopped_and_is_told_when_to_look_again() {
    let store = TempStore::new();
    let first = store.guard(&store.api).unwrap();
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut context = Context::from_waker(&waker);
    let mut asks = pin!(store.guard_async(&store.api));
    assert!(asks.as_mut().poll(&mut context).is_pending());
    drop(first);
    loop {
        match asks.as_mut().poll(&mut context) {
            Poll::Ready(guard) => break drop(guard.unwrap()),
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn a_task_that_stops_its_thread_to_wait_for_itself_is_told_in_the_end() {
    let store = TempStore::new();
    let ask_twice = |ports: PortFor, id: String| {
        let _first = ports.guard(&id).unwrap();
        let second = ports.request(&id).timeout(Duration::from_millis(50));
        second.guard().map(drop).unwrap_err()
    };
    one_thread().block_on(async {
        let (ports, id) = (PortFor::clone(&store), store.api.clone());
        let here = ask_twice(ports.clone(), id.clone());
        let there = spawn(async move { ask_twice(ports, id) }).await.unwrap();
        for error in [here, there] {
            assert_eq!(error.kind(), ErrorKind::Busy);
            assert!(error.to_string().contains("took it itself"), "{error}");
        }
    });
}

#[test]
fn what_a_runtime_calls_its_threads_is_no_name_of_a_test() {
    if std::env::var_os("NEXTEST").is_some() {
        return; // which names the test itself.
    }
    let store = TempStore::new();
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let (ports, id) = (PortFor::clone(&store), store.api.clone());
    let _guard = runtime
        .block_on(async { spawn(async move { ports.guard(&id) }).await })
        .unwrap();
    let listed = store.assignments().unwrap();
    assert_eq!(listed[0].holder().unwrap().test(), None);
}

#[test]
fn a_task_that_waits_for_a_block_leaves_the_thread_to_others() {
    let store = TempStore::new();
    let block = || store.request(&store.api).block(2).companions([10_000]);
    let held = block().guards().unwrap();
    let first = held[0].port();
    let guards = one_thread().block_on(async {
        let waiter = spawn(block().guards_async());
        for _ in 0..100 {
            yield_now().await;
            assert!(!waiter.is_finished());
        }
        drop(held);
        waiter.await.unwrap().unwrap()
    });
    assert_eq!(guards[1].port(), first + 1);
    assert_eq!(guards[1].companions(), [first + 10_001]);
}
