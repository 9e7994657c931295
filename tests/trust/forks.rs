//! Row `forks`: sibling threads start processes without pause, each of which carries copies of all locks and sockets
//! until it executes its program. What was released is free at once all the same.
//!
//! Acquiring waits a little even when it may not wait, so its success alone would hide a lock or socket that lives on.
//! After each release the lease is locked and the port bound by hand, in one try each.
//!
//! Of UDP ports, which cannot be shut down, a copy keeps the port: no id is moved for that. A server that binds one that
//! was just vacated can be refused, which the documentation says; how often, is told.

use std::fs::File;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, UdpSocket};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use port_for::OnBusy;
use socket2::{Domain, Socket, Type};

use crate::campaign::{Form, Report};
use crate::support::TempStore;

const FORKERS: usize = 3;
const ACQUIRERS: usize = 2;
const UDP_ROUNDS: usize = 4_000;

pub fn storm(form: Form) -> Report {
    let (wanted, limit) = form.pick(
        (200_000, Duration::from_secs(40)),
        (2_000_000, Duration::from_secs(3600)),
    );
    let store = TempStore::new();
    let (rounds, forks, held, in_use) =
        <(AtomicUsize, AtomicUsize, AtomicUsize, AtomicUsize)>::default();
    let ids: Vec<_> = (0..ACQUIRERS)
        .map(|nth| format!("fork storm {nth} {}", store.path().display()))
        .collect();
    for id in &ids {
        store.forward_port(id, 0).unwrap();
    }
    let failed = Mutex::new(Vec::new());
    let over = AtomicBool::new(false);
    let mut refused = 0;
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..FORKERS {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let status = Command::new("true").status().unwrap();
                    assert!(status.success());
                    forks.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let acquirers: Vec<_> = ids
            .iter()
            .map(|id| {
                let (store, rounds, held, in_use, failed) =
                    (&store, &rounds, &held, &in_use, &failed);
                scope.spawn(move || {
                    while rounds.fetch_add(1, Ordering::Relaxed) < wanted
                        && started.elapsed() < limit
                    {
                        let request = store.request(id).on_busy(OnBusy::Fail);
                        let port = match request.guard().and_then(|guard| {
                            let port = guard.port();
                            guard.close().map(|()| port)
                        }) {
                            Ok(port) => port,
                            Err(error) => {
                                failed.lock().unwrap().push(error.to_string());
                                continue;
                            }
                        };
                        let lease = File::options().write(true).open(store.lease(port)).unwrap();
                        match fs2::FileExt::try_lock_exclusive(&lease) {
                            // Before the close, or this very file would be what lives on.
                            Ok(()) => fs2::FileExt::unlock(&lease).unwrap(),
                            Err(_) => drop(held.fetch_add(1, Ordering::Relaxed)),
                        }
                        let _ = match listen(port) {
                            Ok(socket) => socket.shutdown(Shutdown::Both).map(|()| 0),
                            Err(_) => Ok(in_use.fetch_add(1, Ordering::Relaxed)),
                        };
                    }
                })
            })
            .collect();
        let udp = udp_rounds(&store, &failed);
        for acquirer in acquirers {
            acquirer.join().unwrap();
        }
        refused = udp;
        over.store(true, Ordering::Relaxed);
    });
    let mut report = Report::default();
    let (rounds, forks) = (rounds.into_inner() - ACQUIRERS, forks.into_inner());
    let (held, in_use) = (held.into_inner(), in_use.into_inner());
    report.figure(format_args!("{rounds} rounds"));
    if rounds < wanted {
        let limit = limit.as_secs();
        report.figure(format_args!("{wanted} wanted, {limit} s over first"));
    }
    report.figure(format_args!("{forks} processes started beside them"));
    report.figure(format_args!(
        "{held} spurious \"held\", {in_use} spurious \"in use\""
    ));
    report.figure(format_args!(
        "{UDP_ROUNDS} UDP ports vacated, {refused} binds refused, 0 ids moved"
    ));
    if held + in_use > 0 {
        report.broken(format!(
            "{held} leases and {in_use} ports were not free when they were released"
        ));
    }
    for error in failed.into_inner().unwrap() {
        report.broken(error);
    }
    if forks < 1_000 {
        report.broken(format!(
            "only {forks} processes were started: nothing was tried"
        ));
    }
    report
}

/// An id with its UDP port, taken and vacated again and again. How many binds of its server were refused; that the id
/// was moved goes to `failed`.
fn udp_rounds(store: &TempStore, failed: &Mutex<Vec<String>>) -> usize {
    let id = format!("fork storm with UDP {}", store.path().display());
    let port = store.forward_port(&id, 0).unwrap();
    let mut refused = 0;
    for _ in 0..UDP_ROUNDS {
        let request = store.request(&id).udp().on_busy(OnBusy::Move);
        let vacated = request.guard().and_then(|mut guard| {
            let addr = guard.vacate()?;
            Ok((guard, addr))
        });
        match vacated {
            Ok((guard, addr)) => {
                refused += usize::from(UdpSocket::bind(addr).is_err());
                if guard.port() != port {
                    let moved = format!("`{id}` was moved from {port} to {}", guard.port());
                    failed.lock().unwrap().push(moved);
                    break;
                }
            }
            Err(error) => failed.lock().unwrap().push(error.to_string()),
        }
    }
    refused
}

/// As the next holder does it.
fn listen(port: u16) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    socket.listen(1)?;
    Ok(socket)
}
