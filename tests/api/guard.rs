//! What a guard is, and the ways to give its port away.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use port_for::{ErrorKind, OnBusy, PortFor, PortGuard};

use crate::support::{HttpServer, TempStore};

#[test]
fn a_guard_holds_its_port() {
    let store = TempStore::new();
    let guard = store.guard(&store.api).unwrap();
    assert_eq!(guard.id(), Some(&*store.api));
    assert_eq!(guard.addr(), (Ipv4Addr::LOCALHOST, guard.port()).into());
    let denied = TcpListener::bind(guard.addr()).unwrap_err();
    assert_eq!(denied.kind(), std::io::ErrorKind::AddrInUse);
}

#[test]
fn a_dropped_guard_frees_port_and_lease() {
    let store = TempStore::new();
    let guard = store.guard(&store.api).unwrap();
    let addr = guard.addr();
    drop(guard);
    drop(TcpListener::bind(addr).unwrap());
    let again = store.request(&store.api).timeout(Duration::ZERO);
    drop(again.guard().unwrap());
}

#[test]
fn a_released_guard_frees_port_and_lease() {
    let store = TempStore::new();
    store.guard(&store.api).unwrap().close().unwrap();
    let again = store.request(&store.api).timeout(Duration::ZERO);
    drop(again.guard().unwrap());
}

#[test]
fn a_taken_listener_serves_whoever_connected_before() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let mut early = TcpStream::connect(guard.addr()).unwrap();
    let listener = guard.take_listener().unwrap();
    let (mut served, _) = listener.accept().unwrap();
    served.write_all(b"hello").unwrap();
    drop(served);
    let mut heard = String::new();
    early.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "hello");
}

#[test]
fn a_taken_listener_serves_http() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let server = HttpServer::on(guard.take_listener().unwrap(), "it is me");
    assert_eq!(server.get(), "it is me");
}

#[test]
fn a_port_just_served_is_held_again_at_once() {
    // The server closes first, so its connections linger in TIME_WAIT.
    let store = TempStore::new();
    for _ in 0..3 {
        let mut guard = store
            .request(&store.api)
            .timeout(Duration::ZERO)
            .guard()
            .unwrap();
        let listener = guard.take_listener().unwrap();
        let mut client = TcpStream::connect(guard.addr()).unwrap();
        drop(listener.accept().unwrap());
        client.read_to_end(&mut Vec::new()).unwrap();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_new_store_gives_an_id_the_port_that_was_just_served() {
    let ports = [(); 2].map(|()| {
        let store = TempStore::new();
        let mut guard = store.guard("just/served").unwrap();
        let listener = guard.take_listener().unwrap();
        let mut client = TcpStream::connect(guard.addr()).unwrap();
        // The server closes first, and its end of the connection lingers.
        drop(listener.accept().unwrap());
        client.read_to_end(&mut Vec::new()).unwrap();
        guard.port()
    });
    assert_eq!(ports[0], ports[1]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_new_store_does_not_give_away_a_port_that_another_store_has_vacated() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    guard.vacate().unwrap();
    let other = TempStore::new();
    assert_ne!(other.forward_port(&store.api, 0).unwrap(), guard.port());
}

#[test]
fn a_vacated_port_refuses_until_a_server_binds_it() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let addr = guard.vacate().unwrap();
    let refused = TcpStream::connect(addr).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    let server = HttpServer::on(TcpListener::bind(addr).unwrap(), "bound by itself");
    assert_eq!(server.get(), "bound by itself");
}

#[cfg(target_os = "linux")]
#[test]
fn a_vacated_port_stays_bound() {
    use socket2::{Domain, Socket, Type};
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let addr = guard.vacate().unwrap();
    let rival = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let denied = rival.bind(&addr.into()).unwrap_err();
    assert_eq!(denied.kind(), std::io::ErrorKind::AddrInUse);
}

#[test]
fn a_port_outlives_its_servers() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let port = guard.port();
    for turn in 0..10 {
        let server = if turn % 2 == 0 {
            HttpServer::on(guard.take_listener().unwrap(), "taken")
        } else {
            HttpServer::on(TcpListener::bind(guard.vacate().unwrap()).unwrap(), "bound")
        };
        server.get();
        drop(server);
        guard.rearm().unwrap();
        assert_eq!(guard.port(), port);
    }
}

#[track_caller]
fn expect<T: std::fmt::Debug>(result: Result<T, port_for::Error>, state: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Handoff);
    let message = error.to_string();
    assert!(
        message.contains(state) && message.contains("`api "),
        "{message}"
    );
}

#[test]
fn a_handoff_that_cannot_be_names_the_state_of_the_guard() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let listener = guard.take_listener().unwrap();
    expect(guard.take_listener(), "listener was already taken");
    expect(guard.take_listener(), "use that one");
    expect(guard.vacate(), "listener was already taken");
    expect(guard.rearm(), "listens on ");
    drop(listener);
    guard.rearm().unwrap();
    guard.rearm().unwrap();

    let addr = guard.vacate().unwrap();
    assert_eq!(guard.vacate().unwrap(), addr);
    expect(guard.take_listener(), "has vacated the port");
    expect(guard.take_listener(), "call `rearm` first");
    let server = TcpListener::bind(addr).unwrap();
    expect(guard.rearm(), "listens on ");
    drop(server);
    guard.rearm().unwrap();
    guard.take_listener().unwrap();
}

#[test]
fn a_listener_that_is_just_being_closed_is_waited_for() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let listener = guard.take_listener().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            // A close that comes late is what is waited for; nothing shows that the first try was made.
            thread::sleep(Duration::from_millis(50));
            drop(listener);
        });
        guard.rearm().unwrap();
    });
}

#[test]
fn a_guard_is_shown_with_its_id_its_address_and_its_state() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let addr = guard.addr().to_string();
    let mut listeners = Vec::new();
    for state in ["holds the port", "listener was already taken"] {
        let shown = format!("{guard:?}");
        for part in [&*format!("{:?}", store.api), &addr, state] {
            assert!(shown.contains(part), "{shown}");
        }
        listeners.extend(guard.take_listener());
    }
}

#[test]
fn a_thread_that_waits_for_its_own_guard_is_told_in_the_end_and_an_id_twice_at_once() {
    let store = TempStore::new();
    let db = &*format!("db {}", store.api);
    let _guard = store.guard(&store.api).unwrap();
    let short = |ports: &PortFor, id: &str| {
        let request = ports.request(id).timeout(Duration::from_millis(50));
        request.guard().unwrap_err()
    };
    for error in [
        short(&store, &store.api),
        short(&store.reopened(), &store.api),
    ] {
        assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
        assert!(error.to_string().contains("took it itself"), "{error}");
    }
    // With the default timeout of a minute: the error comes at once, or the test is seen to hang.
    let error = store.guards([db, db]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Deadlock, "{error}");
    let number = store.forward_port(db, 0).unwrap();
    let both = [store.request(db), store.port(number)];
    let error = store.guard_all(both).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Deadlock, "{error}");
    // What it got before the error, it has let go.
    drop(store.request(db).timeout(Duration::ZERO).guard().unwrap());
}

#[test]
fn another_thread_gets_the_port_afterwards() {
    let store = TempStore::new();
    let guard = store.guard(&store.api).unwrap();
    let port = guard.port();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| store.guard(&store.api).unwrap().port());
        drop(guard);
        assert_eq!(waiter.join().unwrap(), port);
    });
}

#[test]
fn several_ids_in_opposite_orders_never_wait_for_each_other() {
    let store = TempStore::new();
    thread::scope(|scope| {
        for ids in [["a", "b", "c"], ["c", "b", "a"], ["b", "c", "a"]] {
            let store = &*store;
            scope.spawn(move || {
                for _ in 0..100 {
                    let guards = store.guards(ids).unwrap();
                    assert_eq!(guards.each_ref().map(PortGuard::id), ids.map(Some));
                }
            });
        }
    });
}

#[test]
fn each_of_several_guards_frees_its_own_port() {
    let store = TempStore::new();
    let ids = ["a", "b"].map(|name| format!("{name} {}", store.api));
    let [a, b] = store.guards(ids.each_ref().map(|id| &**id)).unwrap();
    drop(a);
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            let busy = Duration::from_millis(50);
            let results = ids
                .each_ref()
                .map(|id| store.request(id).timeout(busy).guard());
            let [a, b] = results.map(|result| result.map(drop).map_err(|error| error.kind()));
            assert_eq!([a, b], [Ok(()), Err(ErrorKind::Busy)]);
        });
        other.join().unwrap();
    });
    drop(b);
}

#[test]
fn a_guard_can_hold_at_another_address() {
    let store = TempStore::new();
    let any = IpAddr::from([0, 0, 0, 0]);
    let guard = store.request("any").host(any).guard().unwrap();
    assert_eq!(guard.addr().ip(), any);
    TcpStream::connect((Ipv4Addr::LOCALHOST, guard.port())).unwrap();

    let error = store
        .request("far")
        .host(IpAddr::from([192, 0, 2, 1]))
        .guard()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Bind);
    assert!(error.to_string().contains("192.0.2.1"), "{error}");

    let mapped = store
        .request("mapped")
        .host("::ffff:127.0.0.1".parse::<IpAddr>().unwrap());
    let error = mapped.guard().unwrap_err();
    assert!(error.to_string().contains("use another host"), "{error}");
}

#[test]
fn a_port_that_a_stranger_has_can_be_left_to_them() {
    let store = TempStore::new();
    let port = store.forward_port(&store.api, 0).unwrap();
    let stranger = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    let guard = store
        .request(&store.api)
        .on_busy(OnBusy::Move)
        .guard()
        .unwrap();
    assert_ne!(guard.port(), port);
    assert_eq!(
        store.reopened().forward_port(&store.api, 0).unwrap(),
        guard.port()
    );
    drop(stranger);
}

/// A user's server takes its time to end, and the port is the id's again.
#[test]
fn an_id_is_not_moved_for_a_server_that_is_just_ending() {
    let store = TempStore::new();
    let port = store.forward_port(&store.api, 0).unwrap();
    let ending = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    std::thread::scope(|scope| {
        let request = store.request(&store.api).on_busy(OnBusy::Move);
        let next = scope.spawn(|| request.guard().map(|guard| guard.port()));
        // The next user has the lease, and meets the server.
        let is_met = || store.assignments().unwrap()[0].holder().is_some();
        crate::support::wait::eventually("the next user", is_met);
        // What is claimed is about this time.
        std::thread::sleep(std::time::Duration::from_millis(200));
        drop(ending);
        assert_eq!(next.join().unwrap().unwrap(), port);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_listener_that_a_detached_thread_still_serves_is_told_by_the_name_of_its_test() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let listener = guard.take_listener().unwrap();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let server = std::thread::spawn(move || {
        let _ = ended.recv();
        drop(listener);
    });
    drop(guard);
    let began = std::time::Instant::now();
    let error = store.guard(&store.api).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Occupied);
    let test = std::thread::current().name().unwrap().to_owned();
    let said = format!("test `{test}` took its listener");
    assert!(error.to_string().contains(&said), "{error}");
    // Not the whole timeout, which is a minute.
    assert!(began.elapsed() < std::time::Duration::from_secs(30));
    drop(end);
    server.join().unwrap();
    drop(store.guard(&store.api).unwrap());
}

#[test]
fn handles_can_be_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<PortFor>();
    shared::<PortGuard>();
    shared::<port_for::Error>();
    assert!(size_of::<port_for::Error>() <= size_of::<usize>());
}
