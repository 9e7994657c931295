//! Which port an id gets, and keeps.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

use port_for::{ErrorKind, PortFor, PortSet};

use crate::support::TempStore;

/// A free port, outside of the pool (whose last port is 49149), and another one each time: no other test
/// of this process is given it, and hardly one of another.
fn spare_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let block = u16::try_from(std::process::id() % 240).unwrap();
    loop {
        let port = 61100 + 16 * block + NEXT.fetch_add(1, Ordering::Relaxed);
        if !port_for::ports::is_used((Ipv4Addr::LOCALHOST, port)) {
            return port;
        }
    }
}

#[test]
fn an_id_keeps_its_port() {
    let store = TempStore::new();
    let port = store.forward_port("api", 0).unwrap();
    assert_eq!(store.forward_port("api", 0).unwrap(), port);
    assert_eq!(
        store.reopened().forward_port("api", port + 1).unwrap(),
        port
    );
    assert_eq!(store.guard("api").unwrap().port(), port);
}

#[test]
fn an_id_has_the_same_port_in_every_new_store() {
    // Unless something is in the way, which each of ten ids cannot be.
    let ids: Vec<String> = (0..10).map(|n| format!("everywhere/{n}")).collect();
    let ports = |store: &PortFor| -> Vec<u16> {
        ids.iter()
            .map(|id| store.forward_port(id, 0).unwrap())
            .collect()
    };
    let (one, other) = (ports(&TempStore::new()), ports(&TempStore::new()));
    assert!(
        one.iter()
            .zip(&other)
            .filter(|(one, other)| one == other)
            .count()
            >= 5
    );
}

#[test]
fn assigned_ports_are_good_ones_and_differ() {
    let store = TempStore::new();
    let good = PortSet::good();
    let mut seen = std::collections::HashSet::new();
    for n in 0..100 {
        let port = store.forward_port(&format!("id-{n}"), 0).unwrap();
        assert!(good.contains(port), "{port}");
        assert!(seen.insert(port), "{port} was given twice");
    }
}

#[test]
fn a_default_port_that_is_free_is_given() {
    let store = TempStore::new();
    let port = spare_port();
    assert_eq!(store.forward_port("api", port).unwrap(), port);
}

#[test]
fn a_default_port_is_a_suggestion() {
    let store = TempStore::new();
    let good = PortSet::good();
    let others = store.forward_port("other", 0).unwrap();
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let v6 = TcpListener::bind("[::1]:0").ok();
    let cases = [
        ("privileged", Some(80)),
        ("another id's", Some(others)),
        ("taken", Some(tcp.local_addr().unwrap().port())),
        ("taken for UDP", Some(udp.local_addr().unwrap().port())),
        (
            "taken on IPv6",
            v6.as_ref().map(|v6| v6.local_addr().unwrap().port()),
        ),
    ];
    for (id, default) in cases {
        let Some(default) = default else { continue };
        let port = store.forward_port(id, default).unwrap();
        assert_ne!(port, default, "{id}");
        assert!(good.contains(port), "{id}: {port} is from the pool");
    }
}

#[test]
fn an_exact_port_is_recorded_even_if_it_is_in_use() {
    let store = TempStore::new();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    assert_eq!(
        store.request("taken").exact_port(port).assign().unwrap(),
        port
    );
    assert_eq!(store.request("http").exact_port(80).assign().unwrap(), 80);
    assert_eq!(store.reopened().forward_port("http", 0).unwrap(), 80);
    assert_eq!(store.request("http").exact_port(80).assign().unwrap(), 80);
}

#[test]
fn an_exact_port_that_conflicts_is_an_error_that_names_both() {
    let store = TempStore::with(r#"{"version": 1, "ports": {"api": 23817, "web": 21800}}"#);
    let before = std::fs::read(store.path()).unwrap();
    for (id, port, parts) in [
        ("api", 23818, ["`api`", "23818", "23817"]),
        ("api", 21800, ["`api`", "21800", "23817"]),
        ("new", 21800, ["`new`", "21800", "`web`"]),
        ("new", 0, ["`new`", "port 0", "1 to 65535"]),
    ] {
        for error in [
            store
                .request(id)
                .exact_port(port)
                .assign()
                .map(drop)
                .unwrap_err(),
            store
                .request(id)
                .exact_port(port)
                .guard()
                .map(drop)
                .unwrap_err(),
        ] {
            let kind = match port {
                0 => ErrorKind::InvalidRequest,
                _ => ErrorKind::Conflict,
            };
            assert_eq!(error.kind(), kind);
            for part in parts {
                assert!(error.to_string().contains(part), "{error} lacks {part}");
            }
        }
    }
    assert_eq!(std::fs::read(store.path()).unwrap(), before);
}

#[test]
fn an_exact_port_that_several_new_ids_demand_at_once_goes_to_one_of_them() {
    for _ in 0..20 {
        let store = TempStore::new();
        let start = std::sync::Barrier::new(8);
        let results: Vec<_> = std::thread::scope(|scope| {
            let askers: Vec<_> = (0..8)
                .map(|n| {
                    let (store, start) = (store.reopened(), &start);
                    scope.spawn(move || {
                        start.wait();
                        let id = format!("id-{n}");
                        let port = store.request(&id).exact_port(23817).assign();
                        port.map_err(|error| error.kind())
                    })
                })
                .collect();
            askers
                .into_iter()
                .map(|asker| asker.join().unwrap())
                .collect()
        });
        let (got, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
        assert_eq!(got, [Ok(23817)]);
        assert_eq!(refused, [Err(ErrorKind::Conflict); 7]);
        assert_eq!(store.assignments().unwrap().len(), 1);
    }
}

#[test]
fn a_request_can_bring_its_own_ports() {
    let store = TempStore::new();
    let port = spare_port();
    let own = PortSet::from([port]);
    assert_eq!(
        store.request("api").ports(own.clone()).assign().unwrap(),
        port
    );
    assert_eq!(
        store
            .request("api")
            .ports("24000".parse().unwrap())
            .assign()
            .unwrap(),
        port
    );
}

#[test]
fn an_exhausted_pool_says_how_many_ports_fell_and_why() {
    let store = TempStore::new();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (spare, taken) = (spare_port(), taken.local_addr().unwrap().port());
    let held = store.available_port(20_000).unwrap();
    let ports = PortSet::from([spare, taken, held.port()]);
    store
        .request("one")
        .ports(PortSet::from([spare]))
        .assign()
        .unwrap();
    // A default port is no further one that fell.
    let request = store.request("two").default_port(taken).ports(ports);
    let error = request.assign().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exhausted);
    let message = error.to_string();
    for part in [
        "`two`",
        "3 ports considered",
        "1 are assigned to other ids",
        "1 are held",
        "1 are in use",
        "PORT_FOR_POOL",
    ] {
        assert!(message.contains(part), "{message:?} lacks {part:?}");
    }
    assert_eq!(store.release("two").unwrap(), None, "nothing was recorded");
}

#[test]
fn a_released_id_is_forgotten() {
    let store = TempStore::new();
    let port = store.guard("api").unwrap().port();
    assert_eq!(store.release("api").unwrap(), Some(port));
    assert_eq!(store.release("api").unwrap(), None);
    assert_eq!(store.assignments().unwrap(), []);
    assert_eq!(store.forward_port("other", port).unwrap(), port);
}

#[test]
fn an_available_port_has_no_id_and_is_not_remembered() {
    let store = TempStore::new();
    let first = spare_port();
    let one = store.available_port(first).unwrap();
    assert_eq!((one.id(), one.port() >= first), (None, true));
    let two = store.available_port(first).unwrap();
    assert!(two.port() > one.port());
    assert_eq!(store.assignments().unwrap(), []);
    // What is assigned is passed over, free as it may be.
    let assigned = store
        .request("api")
        .exact_port(spare_port())
        .assign()
        .unwrap();
    assert_ne!(store.available_port(assigned).unwrap().port(), assigned);
}

#[test]
fn an_available_port_is_not_assigned_to_an_id() {
    let store = TempStore::new();
    let mut guard = store.available_port(spare_port()).unwrap();
    guard.vacate().unwrap();
    assert_ne!(
        store.forward_port("api", guard.port()).unwrap(),
        guard.port()
    );
}
