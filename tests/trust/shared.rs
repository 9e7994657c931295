//! Row `shared`: one server for many users, while users, keepers and servers are killed.
//!
//! Afterwards, without kills, users come at the very moments when servers end for want of them.
//!
//! The server holds a lock of its own for as long as it lives, so two at once show. Each user writes down when it had
//! joined, and whether the server answered then. The driver knows when it has killed what.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use port_for::{PortFor, ServerCommand, SharedServer};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::campaign::{Form, Report};

const USERS: usize = 64;
const LINGER: Duration = Duration::from_millis(20);
/// How long a server may have been dead when a user gets it.
const DEAD: u64 = 100_000;
/// How often all users end at once, and the end of the server is waited for.
const PAUSES: usize = 20;

pub fn killed(form: Form) -> Report {
    let kills = form.pick(2_000, 100_000);
    let folder = tempfile::tempdir().unwrap();
    let mut driver = Driver::new(folder.path());
    let mut report = Report::default();
    let mut slowest = Duration::ZERO;
    for nth in 1..=kills {
        // The load: what happens in between is what is tried.
        thread::sleep(Duration::from_micros(fastrand::u64(..12_000)));
        match fastrand::u8(..100) {
            0..8 => driver.kill_keeper(),
            8..15 => driver.kill_server(),
            _ => driver.kill_user(),
        }
        if nth % (kills / PAUSES) == 0 {
            let took = driver.pause();
            slowest = slowest.max(took);
            if took > LINGER + Duration::from_secs(1) {
                report.broken(format!(
                    "a server lived on for {took:.2?} after its last user"
                ));
            }
        }
    }
    driver.check(&mut report);
    edges(form, &mut report);
    report.figure(format_args!("{kills} kills"));
    report.figure(format_args!("{USERS} users"));
    report.figure(format_args!(
        "gone {slowest:.2?} after the last user at most"
    ));
    report
}

/// Few users, whose pauses are about as long as a server outlives them.
fn edges(form: Form, report: &mut Report) {
    let folders = [(); 4].map(|()| tempfile::tempdir().unwrap());
    let users = folders.iter().flat_map(|folder| [folder; 2]);
    let mut users: Vec<_> = users.map(|folder| user(folder.path(), "edge")).collect();
    thread::sleep(Duration::from_secs(form.pick(20, 600)));
    users.iter_mut().for_each(end);
    let mut ends = 0;
    for folder in &folders {
        let journal = fs::read_to_string(folder.path().join("journal")).unwrap();
        for [_, what, _, rest] in journal.lines().filter_map(words) {
            match what {
                "started" => ends += 1,
                "joined" => {}
                _ => report.broken(format!("{what} while nothing was killed: {rest}")),
            }
        }
    }
    report.figure(format_args!(
        "{ends} ends, none under a user that came then"
    ));
}

struct Driver {
    folder: PathBuf,
    users: Vec<Child>,
    /// When a server was killed, by itself or with its keeper.
    kills: Vec<(u64, u64)>,
    keepers: usize,
    servers: usize,
}

impl Driver {
    fn new(folder: &Path) -> Self {
        let folder = folder.to_owned();
        let users = (0..USERS).map(|_| user(&folder, "wave")).collect();
        let (kills, keepers, servers) = Default::default();
        Self {
            folder,
            users,
            kills,
            keepers,
            servers,
        }
    }

    fn kill_user(&mut self) {
        let nth = fastrand::usize(..USERS);
        end(&mut self.users[nth]);
        self.users[nth] = user(&self.folder, "wave");
    }

    fn kill_keeper(&mut self) {
        let before = self.server();
        if let Some(keeper) = self.json("keeper")["pid"].as_u64() {
            self.keepers += usize::from(kill(keeper));
        }
        self.killed(before);
    }

    fn kill_server(&mut self) {
        let before = self.server();
        if let Some(server) = before {
            self.servers += usize::from(kill(server));
        }
        self.killed(before);
    }

    /// The keeper of a moment ago may have another server by now.
    fn killed(&mut self, before: Option<u64>) {
        for server in [before, self.server()].into_iter().flatten() {
            self.kills.push((now(), server));
        }
    }

    /// The server that is ready.
    fn server(&self) -> Option<u64> {
        self.json("state.json")["phase"]["server"].as_u64()
    }

    fn json(&self, name: &str) -> Value {
        let all = fs::read_dir(self.folder.join("ports.json.shared"));
        let place = all.into_iter().flatten().flatten().next();
        let text = place.and_then(|place| fs::read(place.path().join(name)).ok());
        serde_json::from_slice(&text.unwrap_or_default()).unwrap_or_default()
    }

    /// Ends all users at once. Tells how long the server lives on.
    fn pause(&mut self) -> Duration {
        self.users.iter_mut().for_each(end);
        let since = Instant::now();
        let one = File::create(self.folder.join("one")).unwrap();
        // A keeper may be starting a server yet: then its lock is taken a moment later.
        let mut free_since = None;
        let took = loop {
            let is_free = fs2::FileExt::try_lock_shared(&one).is_ok();
            let keeper = File::open(self.place("keeper")).unwrap();
            if is_free && fs2::FileExt::try_lock_shared(&keeper).is_ok() {
                break *free_since.get_or_insert(since.elapsed());
            }
            if is_free {
                fs2::FileExt::unlock(&one).unwrap();
                free_since.get_or_insert(since.elapsed());
            } else {
                free_since = None;
            }
            if since.elapsed() > Duration::from_secs(60) {
                break since.elapsed();
            }
            thread::sleep(Duration::from_millis(1));
        };
        drop(one);
        self.users = (0..USERS).map(|_| user(&self.folder, "wave")).collect();
        took
    }

    fn place(&self, name: &str) -> PathBuf {
        let all = fs::read_dir(self.folder.join("ports.json.shared")).unwrap();
        let place = all.flatten().next().unwrap();
        place.path().join(name)
    }

    fn check(&mut self, report: &mut Report) {
        self.users.iter_mut().for_each(end);
        let journal = fs::read_to_string(self.folder.join("journal")).unwrap_or_default();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for line in journal.lines() {
            // The last line of a process that was killed.
            let Some([time, what, server, rest]) = words(line) else {
                continue;
            };
            *counts.entry(what).or_default() += 1;
            let (time, server): (u64, u64) = (time.parse().unwrap(), server.parse().unwrap());
            match what {
                // It was not killed, or too long before the user joined.
                "dead"
                    if !self
                        .kills
                        .iter()
                        .any(|&(killed, pid)| pid == server && killed + DEAD >= time) =>
                {
                    report.broken(format!("a user got a dead server, {server}: {rest}"));
                }
                // In the middle of a use.
                "lost" if !self.kills.iter().any(|&(_, pid)| pid == server) => {
                    report.broken(format!("a server, {server}, ended under its user: {rest}"));
                }
                "joined" | "started" | "dead" | "lost" => {}
                // The server was killed while it started, which is told.
                "error" if rest.contains("SIGKILL") || rest.contains("5 times") => {}
                _ => report.broken(format!("{what}: {rest}")),
            }
        }
        let count = |what| counts.get(what).copied().unwrap_or_default();
        report.figure(format_args!(
            "{} keepers and {} servers among them, {} joins of {} servers, {} that had just died, {} starts told as failed, 0 \
             at once",
            self.keepers,
            self.servers,
            count("joined"),
            count("started"),
            count("dead"),
            count("error")
        ));
        if count("joined") == 0 {
            report.broken("nothing has joined");
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.users.iter_mut().for_each(end);
    }
}

fn words(line: &str) -> Option<[&str; 4]> {
    let mut words = line.splitn(4, ' ');
    Some([words.next()?, words.next()?, words.next()?, words.next()?])
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_micros()).unwrap()
}

fn kill(pid: u64) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| kill_process(pid, Signal::KILL).is_ok())
}

fn end(user: &mut Child) {
    // It may have ended already.
    let _ = user.kill();
    user.wait().unwrap();
}

fn user(folder: &Path, when: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .arg("trust:share")
        .args([folder.as_os_str(), when.as_ref()])
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}

fn write(folder: &Path, what: &str, server: u32, rest: &str) {
    write_at(now(), folder, what, server, rest);
}

fn write_at(time: u64, folder: &Path, what: &str, server: u32, rest: &str) {
    let mut journal = File::options();
    let mut journal = journal
        .append(true)
        .create(true)
        .open(folder.join("journal"))
        .unwrap();
    let line = format!("{time} {what} {server} {}\n", rest.replace('\n', " "));
    journal.write_all(line.as_bytes()).unwrap();
}

/// A user: joins, asks, leaves, again and again, until it is killed.
pub fn share(folder: &Path, when: &str) -> ExitCode {
    let store = PortFor::open(folder.join("ports.json")).unwrap();
    let recipe = ServerCommand::new(std::env::current_exe().unwrap())
        .args(["trust:shared-server", "{addr}"])
        .literal_arg(folder);
    // An id of its own in each store, and so a port.
    let id = format!("shared {}", folder.display());
    loop {
        // They come in waves, after which the server ends, or one by one, when it does.
        const WAVE: u64 = 300_000;
        let pause = match when {
            "wave" => WAVE - now() % WAVE + fastrand::u64(..WAVE / 6),
            _ => fastrand::u64(15_000..60_000),
        };
        thread::sleep(Duration::from_micros(pause));
        match store.request(&id).linger(LINGER).start_shared(&recipe) {
            Ok(server) => {
                let joined = now();
                match ask(&server) {
                    Ok(()) => write(folder, "joined", server.id(), "-"),
                    // It has ended between the two, at the latest.
                    Err(error) => write_at(joined, folder, "dead", server.id(), &error),
                }
                let longest = if when == "wave" { 30_000 } else { 5_000 };
                thread::sleep(Duration::from_micros(fastrand::u64(..longest)));
                if let Err(error) = ask(&server) {
                    write(folder, "lost", server.id(), &error);
                }
            }
            Err(error) => write(folder, "error", 0, &format!("{:?} {error}", error.kind())),
        }
    }
}

/// Asks the server who it is.
fn ask(server: &SharedServer) -> Result<(), String> {
    let mut answer = String::new();
    TcpStream::connect(server.addr())
        .and_then(|mut stream| stream.read_to_string(&mut answer))
        .map_err(|error| error.to_string())?;
    if answer == server.id().to_string() {
        Ok(())
    } else {
        Err(format!("another answers: {answer}"))
    }
}

/// The server: holds its lock, and tells its process id to each client.
pub fn serve(addr: &str, folder: &Path) -> ExitCode {
    let one = File::create(folder.join("one")).unwrap();
    // The driver looks at it for an instant.
    let since = Instant::now();
    while fs2::FileExt::try_lock_exclusive(&one).is_err() {
        if since.elapsed() > Duration::from_millis(5) {
            write(folder, "two", std::process::id(), "servers at once");
            break;
        }
    }
    write(folder, "started", std::process::id(), "-");
    let listener = TcpListener::bind(addr).unwrap();
    for stream in listener.incoming() {
        // A client that was killed is its own affair.
        let _ = stream.and_then(|mut stream| write!(stream, "{}", std::process::id()));
    }
    ExitCode::SUCCESS
}
