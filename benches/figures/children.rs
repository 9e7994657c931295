//! This program, run again as a child.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use port_for::PortFor;

use crate::support::{self, FLOOR, OURS, handout, ids};

/// The first argument of a child.
pub const CHILD: &str = "child";

/// The word of a child that listens and greets nobody.
#[cfg(target_os = "linux")]
pub const SERVE: &str = "serve";

/// The word of a child that ends at once.
#[cfg(target_os = "linux")]
pub const END: &str = "end";

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

/// Children that begin at the same time, once all of them are there, and when that is, by [`now`].
pub fn start_together(
    count: usize,
    store: &Path,
    words: impl Fn(usize) -> Vec<String>,
) -> (u64, Vec<Reporter>) {
    let mut children = start(count, store, Stdio::piped, words);
    for child in &mut children {
        let mut ready = String::new();
        child.stdout.read_line(&mut ready).unwrap();
        assert_eq!(ready.trim_end(), READY);
    }
    // Time enough to tell all of them.
    let begin = now() + 20_000_000 + 1_000_000 * u64::try_from(count).unwrap();
    for child in &mut children {
        let mut stdin = child.child.stdin.take().unwrap();
        writeln!(stdin, "{begin}").unwrap();
    }
    (begin, children)
}

/// Children that begin as soon as they are there.
pub fn start_at_once(
    count: usize,
    store: &Path,
    words: impl Fn(usize) -> Vec<String>,
) -> Vec<Reporter> {
    start(count, store, Stdio::null, words)
}

fn start(
    count: usize,
    store: &Path,
    stdin: fn() -> Stdio,
    words: impl Fn(usize) -> Vec<String>,
) -> Vec<Reporter> {
    (0..count)
        .map(|nth| {
            let words = words(nth);
            let words: Vec<_> = words.iter().map(|word| &**word).collect();
            let mut command = command(store, &words);
            command.stdin(stdin());
            Reporter::start(command)
        })
        .collect()
}

/// What a child says when it waits for the common begin.
const READY: &str = "ready";

/// In a child: waits for the common begin, if there is to be one.
fn wait_for_begin() {
    println!("{READY}");
    let mut begin = String::new();
    std::io::stdin().read_line(&mut begin).unwrap();
    if let Ok(begin) = begin.trim_end().parse::<u64>() {
        // The moment to begin is a time: all children have been told it by then.
        thread::sleep(Duration::from_nanos(begin.saturating_sub(now())));
    }
}

/// A child that tells what it measured.
#[derive(Debug)]
pub struct Reporter {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Reporter {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout }
    }

    /// The numbers that it prints until its end, by line.
    pub fn numbers(mut self) -> Vec<Vec<u64>> {
        let lines = self.stdout.lines().map(Result::unwrap);
        let numbers = lines
            .filter(|line| line != READY)
            .map(|line| line.split(' ').map(|word| word.parse().unwrap()).collect())
            .collect();
        assert!(self.child.wait().unwrap().success());
        numbers
    }
}

/// Nanoseconds since 1970: what processes can compare.
pub fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_nanos()).unwrap()
}

/// What a child does.
pub fn run(words: &[String]) {
    let words: Vec<_> = words.iter().map(|word| &**word).collect();
    match words[..] {
        #[cfg(target_os = "linux")]
        [SERVE, addr] => crate::servers::serve(addr),
        #[cfg(target_os = "linux")]
        [END] => {}
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
        ["crowd", FLOOR, ports] => {
            wait_for_begin();
            let held: Vec<_> = ports.split(',').map(bind).collect();
            drop(held);
            println!("{}", now());
        }
        ["crowd", OURS, ids] => {
            wait_for_begin();
            let ports = PortFor::shared().unwrap();
            let held: Vec<_> = ids.split(',').map(|id| ports.guard(id).unwrap()).collect();
            drop(held);
            println!("{}", now());
        }
        // One id, again and again: when it was asked for, had, and given back.
        ["hand along", turns, hold, id] => {
            let hold = Duration::from_micros(hold.parse().unwrap());
            let ports = PortFor::shared().unwrap();
            wait_for_begin();
            for _ in 0..turns.parse().unwrap() {
                let asked = now();
                let guard = ports.guard(id).unwrap();
                let had = now();
                // As long as a test would have it.
                thread::sleep(hold);
                let gave = now();
                drop(guard);
                println!("{asked} {had} {gave}");
            }
        }
        // As many handouts as the time allows.
        ["as many", name, id, millis] => {
            let ports = PortFor::shared().unwrap();
            let mut handout = handout(name, ports, id);
            handout();
            wait_for_begin();
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
