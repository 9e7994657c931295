//! Start, readiness and end of a server that listens at once, on a machine with much else on it: 5,000 connections in
//! `TIME_WAIT` and 200 other processes.

use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use port_for::{PortFor, PortGuard, ServerCommand};

use crate::Effort;
use crate::children::{CHILD, END, SERVE};
use crate::measure::{Figure, Target, cpu_time, short, side_by_side};
use crate::support::store_of;

pub fn servers(effort: Effort) -> Vec<Figure> {
    let _busy = Busy::make(effort);
    let folder = tempfile::tempdir().unwrap();
    let ports = PortFor::open(folder.path().join("ports.json")).unwrap();
    let mut guard = ports.guard("server").unwrap();
    let addr = guard.vacate().unwrap();
    let mut plain = || plain(addr);
    let mut twice = || twice(addr);
    let mut ours = || run_by(&mut guard);
    let rounds = effort.rounds(100);
    let [that, floor, this] = side_by_side(rounds, 1, [&mut plain, &mut twice, &mut ours]);
    let one = "start + ready + end of a server";
    let beside = "`Command`, connect loop, kill";
    let and_again = "the same, and this program run again, to end at once";
    let wall = Figure::ratio(one, beside, that, this, Target::AtMost(1.3));
    let wall_of_two = Figure::ratio(one, and_again, floor, this, Target::None);
    // The system reports CPU time in steps of 10 ms.
    let rounds = effort.rounds(400);
    let cpu = |job: &mut dyn FnMut()| {
        let before = cpu_time();
        (0..rounds).for_each(|_| job());
        cpu_time().saturating_sub(before) / u32::try_from(rounds).unwrap()
    };
    let [that, floor, this] = [cpu(&mut plain), cpu(&mut twice), cpu(&mut ours)];
    let of_cpu = Figure::ratio("… CPU time", beside, that, this, Target::AtMost(2.0));
    let cpu_of_two = Figure::ratio("… CPU time", and_again, floor, this, Target::None);

    let count = effort.rounds(50);
    let ids: Vec<_> = (0..count).map(|nth| format!("server {nth}")).collect();
    let mut guards = ports
        .guard_all(ids.iter().map(|id| ports.request(id)))
        .unwrap();
    let addrs: Vec<_> = guards
        .iter_mut()
        .map(|guard| guard.vacate().unwrap())
        .collect();
    let at_once = |job: fn(SocketAddr)| {
        thread::scope(|scope| {
            for &addr in &addrs {
                scope.spawn(move || job(addr));
            }
        });
    };
    let mut plain = || at_once(self::plain);
    let mut twice = || at_once(self::twice);
    let mut ours = || {
        thread::scope(|scope| {
            for guard in &mut guards {
                scope.spawn(|| run_by(guard));
            }
        });
    };
    let rounds = effort.rounds(10);
    let [that, floor, this] = side_by_side(rounds, 1, [&mut plain, &mut twice, &mut ours]);
    let what = "50 servers at once";
    let many = Figure::ratio(what, beside, that, this, Target::AtMost(1.5));
    let many_of_two = Figure::ratio(what, and_again, floor, this, Target::None);
    vec![
        wall,
        wall_of_two,
        of_cpu,
        cpu_of_two,
        many,
        many_of_two,
        joined(effort),
    ]
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
fn plain(addr: SocketAddr) {
    let mut server = run(&[SERVE, &addr.to_string()]);
    while TcpStream::connect(addr).is_err() {
        thread::sleep(Duration::from_millis(1));
    }
    server.kill().unwrap();
    server.wait().unwrap();
}

/// As [`plain`], with another run of this program, as a server's guardian is one: no guardian can cost less.
fn twice(addr: SocketAddr) {
    let mut other = run(&[END]);
    plain(addr);
    other.wait().unwrap();
}

fn run(words: &[&str]) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(CHILD).args(words).stdin(Stdio::null());
    command.spawn().unwrap()
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
