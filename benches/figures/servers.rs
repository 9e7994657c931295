//! Start, readiness and end of a server that listens at once, on a machine with much else on it: 5,000 connections in
//! `TIME_WAIT` and 200 other processes.

use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use port_for::{PortFor, PortGuard, ServerCommand};

use crate::Effort;
use crate::children::{CHILD, SERVE};
use crate::measure::{Figure, Target, cpu_time, short, side_by_side};
use crate::support::store_of;

pub fn servers(effort: Effort) -> Vec<Figure> {
    let _busy = Busy::make(effort);
    let folder = tempfile::tempdir().unwrap();
    let ports = PortFor::open(folder.path().join("ports.json")).unwrap();
    let mut guard = ports.guard("server").unwrap();
    let addr = guard.vacate().unwrap();
    let mut plain = || Plain::start(addr).stop();
    let mut ours = || run_by(&mut guard);
    let rounds = effort.rounds(40);
    let [that, this] = side_by_side(rounds, 1, [&mut plain, &mut ours]);
    let figure = Figure::ratio(
        "start + ready + end of a server",
        "`Command`, connect loop, kill",
        that,
        this,
        Target::AtMost(1.3),
    );
    // The system reports CPU time in steps of 10 ms.
    let rounds = effort.rounds(400);
    let cpu = |job: &mut dyn FnMut()| {
        let before = cpu_time();
        (0..rounds).for_each(|_| job());
        cpu_time().saturating_sub(before) / u32::try_from(rounds).unwrap()
    };
    let (that, this) = (cpu(&mut plain), cpu(&mut ours));
    let of_cpu = Figure::ratio("… CPU time", "the same", that, this, Target::AtMost(2.0));

    let count = effort.rounds(50);
    let ids: Vec<_> = (0..count).map(|nth| format!("server {nth}")).collect();
    let mut guards = ports
        .guard_all(ids.iter().map(|id| ports.request(id)))
        .unwrap();
    let addrs: Vec<_> = guards
        .iter_mut()
        .map(|guard| guard.vacate().unwrap())
        .collect();
    let mut plain = || {
        thread::scope(|scope| {
            for &addr in &addrs {
                scope.spawn(move || Plain::start(addr).stop());
            }
        });
    };
    let mut ours = || {
        thread::scope(|scope| {
            for guard in &mut guards {
                scope.spawn(|| run_by(guard));
            }
        });
    };
    let [that, this] = side_by_side(effort.rounds(5), 1, [&mut plain, &mut ours]);
    let many = Figure::ratio(
        "50 servers at once",
        "the same",
        that,
        this,
        Target::AtMost(1.5),
    );
    vec![figure, of_cpu, many, joined(effort)]
}

/// A shared server that runs, joined and left by a process that exists.
fn joined(effort: Effort) -> Figure {
    let store = store_of(1, &[]);
    let join = || store.request("shared").start_shared(&command()).unwrap();
    let _user = join();
    let [time] = side_by_side(effort.rounds(200), 1, [&mut || drop(join())]);
    Figure {
        what: "a shared server that runs, joined and left".to_owned(),
        beside: ("–".to_owned(), "–".to_owned()),
        ours: short(time),
        result: time.as_secs_f64() * 1e3,
        unit: "ms",
        target: Target::AtMost(2.0),
    }
}

fn command() -> ServerCommand {
    ServerCommand::new(std::env::current_exe().unwrap()).args([CHILD, SERVE, "{addr}"])
}

fn run_by(guard: &mut PortGuard) {
    guard.start(&command()).unwrap().kill().unwrap();
}

/// As one does it by hand.
struct Plain(Child);

impl Plain {
    fn start(addr: SocketAddr) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args([CHILD, SERVE, &addr.to_string()])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        while TcpStream::connect(addr).is_err() {
            thread::sleep(Duration::from_millis(1));
        }
        Self(child)
    }

    fn stop(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// The server.
pub fn serve(addr: &str) {
    for stream in TcpListener::bind(addr).unwrap().incoming() {
        drop(stream);
    }
}

/// What else is on the machine.
struct Busy(Vec<Child>);

impl Busy {
    fn make(effort: Effort) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        for _ in 0..effort.rounds(5_000) {
            let mut client = TcpStream::connect(addr).unwrap();
            // The side that closes first keeps the connection.
            drop(listener.accept().unwrap());
            assert_eq!(client.read(&mut [0]).unwrap(), 0);
        }
        let sleep = || Command::new("sleep").arg("1000").spawn().unwrap();
        Self((0..effort.rounds(200)).map(|_| sleep()).collect())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for child in &mut self.0 {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}
