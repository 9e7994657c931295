//! Rows `servers` and `false-ready`: nothing of a server outlives its test, and nobody else is taken for one.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use port_for::ErrorKind::{Exited, NotReady, WrongServer};
use port_for::{PortFor, Ready, ServerCommand};

use crate::campaign::{Form, Report};

/// Servers as a shell's scripts.
const SHAPES: [&str; 7] = [
    "exec sleep 1000",
    "exec timeout 1000 sleep 1000",
    "set -m; sleep 1000 & wait",
    "exec setsid sleep 1000",
    "setsid sleep 1000 & exec sleep 1000",
    "(setsid sh -c 'sleep 1000 & exit 0' &); exit 0",
    "for i in 1 2 3 4 5 6 7 8 9; do sleep 1000 & setsid sleep 1000 & done; wait",
];
const MARK: &str = "TRUST_MARK";

/// Test processes are killed at random moments of their servers' lives.
pub fn killed(form: Form) -> Report {
    let rounds = form.pick(1_000, 50_000);
    let folder = tempfile::tempdir().unwrap();
    let mut report = Report::default();
    let mut slowest = Duration::ZERO;
    for round in 0..rounds {
        let mark = format!("{} {round}", folder.path().display());
        let nth = round % SHAPES.len();
        let way = ["recipe", "command"][round / SHAPES.len() % 2];
        let mut worker = worker("trust:serve", &[&nth.to_string(), way])
            .env("PORT_FOR_STORE", folder.path().join("ports.json"))
            .env(MARK, &mark)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_micros(jitter(round)));
        worker.kill().unwrap();
        worker.wait().unwrap();
        let since = Instant::now();
        while let Some(left) = marked(&mark) {
            if since.elapsed() > Duration::from_secs(5) {
                report.broken(format!("{:?} by {way}: {left} is left", SHAPES[nth]));
                break;
            }
            thread::sleep(Duration::from_millis(1));
        }
        slowest = slowest.max(since.elapsed());
    }
    report.figure(format_args!("{rounds} kills"));
    report.figure(format_args!("all gone within {slowest:.2?}"));
    report
}

/// A moment between 0 and 40 ms, in microseconds, in no order.
fn jitter(round: usize) -> u64 {
    (round as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) % 40_000
}

/// A worker of [`killed`]: a server, until it is killed. Every other is from a `Command`, which is another way to start it
/// than a recipe's.
pub fn serve(nth: &str, way: &str) -> ExitCode {
    let script = format!("echo up; {}", SHAPES[nth.parse::<usize>().unwrap()]);
    // What is left of the last round must not matter.
    let id = format!("serve {}", std::process::id());
    let ports = PortFor::shared().unwrap();
    let mut guard = ports.guard(&id).unwrap();
    let server = if way == "recipe" {
        let command = ServerCommand::new("bash").arg("-c").literal_arg(script);
        guard.start(&command.ready(Ready::line("up")))
    } else {
        guard.spawn(Command::new("bash").args(["-c", &script]))
    };
    let server = server.unwrap();
    loop {
        thread::park();
        assert!(server.is_running());
    }
}

/// A process with the mark.
fn marked(mark: &str) -> Option<String> {
    let wanted = format!("{MARK}={mark}");
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .find_map(|process| {
            let environment = fs::read(process.path().join("environ")).ok()?;
            let has = environment
                .split(|&byte| byte == 0)
                .any(|it| it == wanted.as_bytes());
            has.then(|| process.path().display().to_string())
        })
}

/// Strangers listen on the port while servers end on it: of the same user, and of another.
pub fn false_ready(form: Form) -> Report {
    let rounds = form.pick(1_000, 20_000).to_string();
    let mut report = Report::default();
    for (whose, user) in [("the same user's", false), ("another user's", true)] {
        if !rustix::process::geteuid().is_root() && user {
            report.skip(whose, "only root can be two users");
            continue;
        }
        let mut others = Worker::start(&["trust:stranger"], !user);
        let mut ours = Worker::start(&["trust:ready", &rounds], true);
        let port = ours.line();
        others.say(&port);
        assert_eq!(others.line(), "listening");
        ours.say("go");
        let counts = ours.line();
        let ready = counts.split(' ').next();
        if ready != Some("0") {
            report.broken(format!(
                "beside {whose} listener: ready, exited, wrong, not ready: {counts}"
            ));
        }
        report.figure(format_args!("{rounds} rounds beside {whose} listener"));
    }
    report
}

/// Listens on the port that it is told, and accepts whatever comes.
pub fn stranger() -> ExitCode {
    let port: u16 = read().parse().unwrap();
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    println!("listening");
    listener.incoming().for_each(drop);
    ExitCode::SUCCESS
}

/// Starts servers that end at once, on a port where a stranger listens, and counts what comes of waiting for them.
pub fn ready(rounds: &str) -> ExitCode {
    let folder = tempfile::tempdir().unwrap();
    let ports = PortFor::open(folder.path().join("ports.json")).unwrap();
    let mut guard = ports.guard(&folder.path().display().to_string()).unwrap();
    guard.vacate().unwrap();
    println!("{}", guard.port());
    read();
    let mut counts: HashMap<_, u32> = HashMap::new();
    for round in 0..rounds.parse().unwrap() {
        let script = [
            "exit 0",
            "exit 1",
            "sleep 0.003; exit 1",
            "sleep 0.01 & exit 0",
        ][round % 4];
        let mut server = guard
            .spawn(Command::new("sh").args(["-c", script]))
            .unwrap();
        let waited = server.wait_ready(Duration::from_millis(200));
        *counts
            .entry(waited.err().map(|error| error.kind()))
            .or_default() += 1;
    }
    let count = |kind| counts.get(&kind).copied().unwrap_or_default();
    let [exited, wrong, late] = [Exited, WrongServer, NotReady].map(|kind| count(Some(kind)));
    println!("{} {exited} {wrong} {late}", count(None));
    ExitCode::SUCCESS
}

fn read() -> String {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

fn worker(name: &str, words: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .arg(name)
        .args(words)
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// A worker that is talked to.
struct Worker {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Worker {
    fn start(words: &[&str], as_nobody: bool) -> Self {
        let mut command = worker(words[0], &words[1..]);
        if as_nobody && rustix::process::geteuid().is_root() {
            command.uid(65534).gid(65534).current_dir("/");
        }
        let mut child = (command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()).unwrap();
        Self {
            stdin: child.stdin.take().unwrap(),
            stdout: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    fn say(&mut self, word: &str) {
        writeln!(self.stdin, "{word}").unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
