//! What the benches measure: this crate, its floor and its peers, behind one face.

#![allow(unused, unreachable_pub, reason = "no bench uses all of it")]

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::{LazyLock, OnceLock};
use std::thread;
use std::time::Duration;

use get_port::Ops;
use openport::PortReservation;
use port_for::PortFor;
use reserve_port::ReservedPort;
use serial_test::file_serial;

#[path = "../../tests/support/mod.rs"]
mod of_tests;

pub use of_tests::TempStore;

/// What nothing can be faster than: a fixed, free port is bound, listened on, and closed.
pub const FLOOR: &str = "bare bind";
pub const OURS: &str = "port-for";
pub const PEERS: [&str; 7] = [
    "bind(0)",
    "portpicker",
    "reserve-port",
    "get-port",
    "openport",
    "port_check",
    "serial_test",
];

/// Peers that give a mere number: nothing keeps its port from others.
pub const ONLY_NUMBERS: [&str; 4] = ["portpicker", "get-port", "openport", "port_check"];

/// One handout of a port and its end, as `name` does it, as often as it is called.
pub fn handout(name: &str, ports: &PortFor, id: &str) -> Box<dyn FnMut() + Send> {
    let port = ports.forward_port(id, 0).unwrap();
    match name {
        FLOOR => Box::new(move || end(bind(port))),
        OURS => {
            let (ports, id) = (ports.clone(), id.to_owned());
            Box::new(move || end(ports.guard(&id).unwrap()))
        }
        "bind(0)" => Box::new(|| end(bind(0))),
        "portpicker" => Box::new(|| end(portpicker::pick_unused_port().unwrap())),
        "reserve-port" => Box::new(|| {
            end(ReservedPort::random_with_tcp(Ipv4Addr::LOCALHOST).unwrap());
        }),
        "get-port" => Box::new(|| end(get_port::tcp::TcpPort::any("127.0.0.1").unwrap())),
        "openport" => Box::new(|| {
            static RESERVATION: LazyLock<PortReservation> = LazyLock::new(PortReservation::default);
            let port = RESERVATION.reserve_port().unwrap();
            RESERVATION.release_port(port);
        }),
        "port_check" => Box::new(|| end(port_check::free_local_port().unwrap())),
        "serial_test" => {
            SERIAL.get_or_init(|| port);
            Box::new(bind_one_after_the_other)
        }
        _ => panic!("{name:?} is no peer"),
    }
}

/// What was handed out is given back, which a mere number is by being forgotten.
fn end<T>(handed_out: T) {
    std::hint::black_box(handed_out);
}

/// A listener on the port. On a busy machine another program may have it for a moment, which this crate would wait for.
pub fn bind(port: u16) -> TcpListener {
    for _ in 0..10_000 {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(listener) => return listener,
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                // Until the next look.
                thread::sleep(Duration::from_millis(1));
            }
            Err(error) => panic!("port {port}: {error}"),
        }
    }
    panic!("port {port} stays taken");
}

/// The one port for all that take turns by `serial_test`.
static SERIAL: OnceLock<u16> = OnceLock::new();

#[file_serial]
fn bind_one_after_the_other() {
    end(bind(SERIAL.get().copied().unwrap_or_default()));
}

/// A store of `size` assignments, named as long as those of tests are; `ids` are among them, on ports that are free.
pub fn store_of(size: usize, ids: &[String]) -> TempStore {
    // Where builds go, rather than where temporary files do: that may be no disk, and people's stores are on one.
    let store = TempStore::new_in(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let mut assigned = BTreeMap::new();
    for id in ids {
        assigned.insert(store.forward_port(id, 0).unwrap(), id.clone());
    }
    let mut port = 1024;
    while assigned.len() < size {
        port += 1;
        assigned.entry(port).or_insert_with(|| {
            let (module, test) = (port / 100, port % 100);
            format!("my_crate::module_{module:03}::tests::it_works_{test:02}::port")
        });
    }
    store.write(&assigned.into_iter().map(|(port, id)| (id, port)).collect());
    store
}

/// As many ids.
pub fn ids(count: usize) -> Vec<String> {
    (0..count)
        .map(|nth| format!("bench::handout_{nth:04}::port"))
        .collect()
}
