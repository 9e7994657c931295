//! This program, run again as a child.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use port_for::PortFor;

use crate::support::{self, FLOOR, OURS, handout, ids};

/// The first argument of a child.
pub const CHILD: &str = "child";

/// The command that runs a child; its default store is the one at `store`.
pub fn command(store: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .arg(CHILD)
        .args(words)
        .env("PORT_FOR_STORE", store)
        .stdin(Stdio::null());
    command
}

/// Runs a child to its end.
pub fn wait_for(mut command: Command) {
    assert!(command.status().unwrap().success());
}

/// Children that begin at the same time, and when that is, by [`now`].
pub fn start_together(
    count: usize,
    store: &Path,
    words: impl Fn(usize) -> Vec<String>,
) -> (u64, Vec<Reporter>) {
    // Time enough for all to be there, however busy the machine is.
    let begin = now() + 100_000_000 + 4_000_000 * u64::try_from(count).unwrap();
    (begin, start_at(begin, count, store, words))
}

/// Children that begin when that is; 0 is at once.
pub fn start_at(
    begin: u64,
    count: usize,
    store: &Path,
    words: impl Fn(usize) -> Vec<String>,
) -> Vec<Reporter> {
    (0..count)
        .map(|nth| {
            let mut words = words(nth);
            words.push(begin.to_string());
            let words: Vec<_> = words.iter().map(|word| &**word).collect();
            Reporter::start(command(store, &words))
        })
        .collect()
}

/// A child that tells what it measured.
#[derive(Debug)]
pub struct Reporter(Child);

impl Reporter {
    pub fn start(mut command: Command) -> Self {
        Self(command.stdout(Stdio::piped()).spawn().unwrap())
    }

    /// The numbers that it prints until its end, by line.
    pub fn numbers(mut self) -> Vec<Vec<u64>> {
        let lines = BufReader::new(self.0.stdout.take().unwrap()).lines();
        let numbers = lines
            .map(|line| {
                let line = line.unwrap();
                line.split(' ').map(|word| word.parse().unwrap()).collect()
            })
            .collect();
        assert!(self.0.wait().unwrap().success());
        numbers
    }
}

/// Nanoseconds since 1970: what processes can compare.
pub fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_nanos()).unwrap()
}

/// In a child: waits for the common begin.
fn wait_until(begin: &str) {
    let begin = begin.parse().unwrap();
    let left = u64::saturating_sub(begin, now());
    assert!(begin == 0 || left > 0, "a child is not there in time");
    thread::sleep(Duration::from_nanos(left));
}

/// What a child does.
pub fn run(words: &[String]) {
    let words: Vec<_> = words.iter().map(|word| &**word).collect();
    match words[..] {
        // The first handout of a process, which ends with it.
        ["first", FLOOR, port] => drop(bind(port)),
        ["first", OURS, id] => drop(port_for::guard(id).unwrap()),
        // How much memory a process has that holds a port.
        ["memory", FLOOR, port] => {
            let _held = bind(port);
            println!("{}", memory());
        }
        ["memory", OURS, id] => {
            let _held = port_for::guard(id).unwrap();
            println!("{}", memory());
        }
        // Ports of many ids at the same time.
        ["crowd", FLOOR, ports, begin] => {
            wait_until(begin);
            let held: Vec<_> = ports.split(',').map(bind).collect();
            drop(held);
            println!("{}", now());
        }
        ["crowd", OURS, ids, begin] => {
            wait_until(begin);
            let ports = PortFor::shared().unwrap();
            let held: Vec<_> = ids.split(',').map(|id| ports.guard(id).unwrap()).collect();
            drop(held);
            println!("{}", now());
        }
        // One id, again and again: when it was asked for, had, and given back.
        ["hand along", turns, hold, id, begin] => {
            let hold = Duration::from_micros(hold.parse().unwrap());
            let ports = PortFor::shared().unwrap();
            wait_until(begin);
            for _ in 0..turns.parse().unwrap() {
                let asked = now();
                let guard = ports.guard(id).unwrap();
                let had = now();
                thread::sleep(hold);
                let gave = now();
                drop(guard);
                println!("{asked} {had} {gave}");
            }
        }
        // As many handouts as the time allows.
        ["as many", name, id, millis, begin] => {
            let ports = PortFor::shared().unwrap();
            let mut handout = handout(name, ports, id);
            handout();
            wait_until(begin);
            let time = Duration::from_millis(millis.parse().unwrap());
            let (begin, mut count) = (Instant::now(), 0);
            while begin.elapsed() < time {
                handout();
                count += 1;
            }
            println!("{count}");
        }
        _ => panic!("no child does {words:?}"),
    }
}

fn bind(port: &str) -> TcpListener {
    support::bind(port.parse().unwrap())
}

/// The most memory that this process has had, in KiB.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let word = peak.and_then(|peak| peak.split_whitespace().next());
    word.and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// Ids or ports in one word.
pub fn listed<T: ToString>(items: &[T]) -> String {
    let items: Vec<_> = items.iter().map(T::to_string).collect();
    items.join(",")
}

/// The ids of each of so many processes.
pub fn ids_of_each(processes: usize, each: usize) -> Vec<Vec<String>> {
    let ids = ids(processes * each);
    ids.chunks(each).map(<[_]>::to_vec).collect()
}
