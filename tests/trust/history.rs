//! Row `history`: processes that take and give back ports are killed at any moment, and what they wrote down is
//! checked: no two had the same at one time.
//!
//! The journal cannot make up an overlap. A use is written down after the port was acquired, with a time taken after
//! that, and its end with a time taken before the release begins. Who is killed in between had the port until then at
//! least: the parent takes the time before it sends the signal. So every interval is a part of the true one.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use port_for::{ErrorKind, PortFor, PortGuard};
use rustix::time::{ClockId, clock_gettime};

use crate::campaign::{Form, Report};
use crate::each_call::read;

const PROCESSES: usize = 16;
const THREADS: usize = 3;
/// Ids that all use and none forgets.
const SHARED: usize = 24;
/// Ids that are released from the store time and again.
const FLEETING: usize = 6;
/// Ids that are assigned and never held, in all.
const NEW: u64 = 4_000;
/// Kills between two checks.
const EPOCH: u64 = 2_000;
/// Users and a group that no machine has; the processes run as them.
const USERS: [u32; 2] = [54_321, 54_322];
const GROUP: u32 = 54_399;

/// Nanoseconds on the clock that all processes share and that cannot be set.
fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    u64::try_from(now.tv_sec * 1_000_000_000 + now.tv_nsec).expect("after the start of the machine")
}

/// Appends whole records: `\n` before, ` .` behind, so that one that a kill cut short spoils no other.
#[derive(Debug)]
struct Journal(File);

impl Journal {
    fn open(path: &Path) -> Self {
        Self(OpenOptions::new().append(true).open(path).unwrap())
    }

    fn write(&self, records: &[String]) {
        let mut text = String::new();
        for record in records {
            write!(text, "\n{record} .").unwrap();
        }
        (&self.0).write_all(text.as_bytes()).unwrap();
    }
}

/// In a process to be killed: uses ports until then.
pub fn work(store: &str, journal: &Path, name: &str) -> ! {
    let ports = PortFor::open(store).unwrap();
    let journal = Journal::open(journal);
    thread::scope(|scope| {
        for nth in 0..THREADS {
            let (ports, journal) = (&ports, &journal);
            scope.spawn(move || {
                let mut turn = 0;
                loop {
                    turn += 1;
                    if let Err(error) = take_turn(ports, journal, &format!("{name} {nth}.{turn}")) {
                        journal.write(&[format!("! {name} {error}")]);
                    }
                }
            });
        }
    });
    unreachable!("its threads never end");
}

fn take_turn(ports: &PortFor, journal: &Journal, turn: &str) -> Result<(), port_for::Error> {
    let shared = || format!("shared-{}", fastrand::usize(..SHARED));
    let fleeting = || format!("fleeting-{}", fastrand::usize(..FLEETING));
    let request = |id: &str| ports.request(id).timeout(Duration::from_secs(30)).guard();
    let mut guards = match fastrand::u8(..100) {
        0..55 => vec![request(&shared())?],
        55..67 => {
            let (one, other) = (shared(), shared());
            if one == other {
                return Ok(());
            }
            Vec::from(ports.guards([&one, &other])?)
        }
        67..85 => vec![request(&fleeting())?],
        85..97 => {
            return match ports.release(&fleeting()) {
                Err(error) if error.kind() != ErrorKind::Busy => Err(error),
                _ => Ok(()),
            };
        }
        _ => {
            let id = format!("new-{}", fastrand::u64(..NEW));
            let port = ports.forward_port(&id, 0)?;
            journal.write(&[format!("= {id} {port}")]);
            return Ok(());
        }
    };
    let began = now();
    let records: Vec<_> = guards
        .iter()
        .map(|guard| format!("+ {turn} {} {} {began}", guard.id().unwrap(), guard.port()))
        .collect();
    journal.write(&records);
    for guard in &mut guards {
        use_port(guard)?;
    }
    let ended = now();
    journal.write(&[format!("- {turn} {ended}")]);
    guards.into_iter().try_for_each(PortGuard::close)
}

fn use_port(guard: &mut PortGuard) -> Result<(), port_for::Error> {
    match fastrand::u8(..4) {
        0 => drop(guard.take_listener()?),
        1 => {
            guard.vacate()?;
            guard.rearm()?;
        }
        // The port is used for that long.
        2 => thread::sleep(Duration::from_micros(fastrand::u64(..500))),
        _ => {}
    }
    if guard.id().unwrap().starts_with("fleeting") {
        // Long enough for the others to release its id and have it assigned anew, if they could.
        thread::sleep(Duration::from_micros(fastrand::u64(..20_000)));
    }
    Ok(())
}

/// What the parent knows beside the journal.
#[derive(Debug, Default)]
struct Known {
    /// The port of each id that is never forgotten.
    ports: BTreeMap<String, u16>,
    uses: usize,
    overlaps: usize,
    broken: Vec<String>,
}

pub fn history(form: Form) -> Report {
    // TRUST_MINUTES shortens the long form.
    let minutes = std::env::var("TRUST_MINUTES").map_or(180, |text| text.parse().unwrap());
    let (wanted, limit) = form.pick(
        (10_000, Duration::from_secs(70)),
        (1_000_000, Duration::from_secs(60 * minutes)),
    );
    let mut report = Report::default();
    let place = Place::new();
    if !place.is_root {
        report.skip("two users on one store", "needs root");
    }
    let started = Instant::now();
    let mut known = Known::default();
    let mut kills = 0;
    while kills < wanted && started.elapsed() < limit && known.broken.is_empty() {
        let killed = Mutex::new(HashMap::new());
        let count = AtomicU64::new(0);
        let target = EPOCH.min(wanted - kills);
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            for slot in 0..PROCESSES {
                let (place, killed, count, over) = (&place, &killed, &count, &over);
                scope.spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        let name = format!("{slot}-{}", fastrand::u64(..));
                        let mut child = place.start(slot, &name);
                        // Some die before they have had a port, some have had hundreds.
                        let longest = [8_000, 30_000, 120_000][fastrand::usize(..3)];
                        thread::sleep(Duration::from_micros(fastrand::u64(1_000..longest)));
                        let last_seen = now();
                        child.kill().unwrap();
                        let status = child.wait().unwrap();
                        if status.code().is_some() {
                            Journal::open(&place.journal).write(&[format!("! {name} {status}")]);
                        }
                        killed.lock().unwrap().insert(name, last_seen);
                        let kills = count.fetch_add(1, Ordering::Relaxed) + 1;
                        if kills >= target || started.elapsed() > limit {
                            over.store(true, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        kills += count.into_inner();
        check(&place, &killed.into_inner().unwrap(), &mut known);
        File::create(&place.journal).unwrap();
    }
    report.figure(format_args!("{kills} kills"));
    if kills < wanted {
        let limit = limit.as_secs();
        report.figure(format_args!("{wanted} wanted, {limit} s over first"));
    }
    report.figure(format_args!(
        "{} uses by {PROCESSES} processes of {THREADS} threads",
        known.uses
    ));
    report.figure(format_args!(
        "{} assignments acknowledged",
        known.ports.len()
    ));
    report.figure(format_args!("{} overlaps", known.overlaps));
    report.figure(format_args!(
        "{} lost, changed, corrupt or failed",
        known.broken.len() - known.overlaps
    ));
    if known.uses < usize::try_from(kills).expect("a few") {
        report.broken("hardly anything was used: nothing was tried");
    }
    for broken in known.broken {
        report.broken(broken);
    }
    report
}

/// A folder for the store, with what the processes need.
struct Place {
    folder: tempfile::TempDir,
    program: PathBuf,
    journal: PathBuf,
    is_root: bool,
}

impl Place {
    /// Shared by the group of both users, if we can make two.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let is_root = rustix::process::geteuid().is_root();
        let (program, journal) = (at("program"), at("journal"));
        // Where this program lies, the others may not be allowed to go.
        fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        File::create(&journal).unwrap();
        for name in ["shared", "one", "one/two"] {
            fs::create_dir(at(name)).unwrap();
        }
        if is_root {
            for (path, mode) in [
                (folder.path(), 0o755),
                (&program, 0o755),
                (&journal, 0o666),
                (&at("one"), 0o755),
                (&at("one/two"), 0o755),
                (&at("shared"), 0o2770),
            ] {
                fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
            }
            chown(at("shared"), None, Some(GROUP)).unwrap();
            fs::set_permissions(at("shared"), Permissions::from_mode(0o2770)).unwrap();
        }
        Self {
            folder,
            program,
            journal,
            is_root,
        }
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("shared/ports.json")
    }

    fn start(&self, slot: usize, name: &str) -> std::process::Child {
        let (folder, store) = [
            ("", "shared/ports.json"),
            ("one", "../shared/ports.json"),
            ("one/two", "../../one/../shared/./ports.json"),
        ][slot % 3];
        let mut command = Command::new(&self.program);
        command
            .args(["trust:work", store])
            .arg(&self.journal)
            .arg(name)
            .current_dir(self.folder.path().join(folder))
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        if self.is_root {
            command.gid(GROUP).uid(USERS[slot % 2]);
        }
        command.spawn().unwrap()
    }
}

/// One use of a port.
#[derive(Debug)]
struct Use<'a> {
    id: &'a str,
    port: &'a str,
    begin: u64,
    end: u64,
}

/// Reads the journal of an epoch, when all who wrote it are dead.
fn check(place: &Place, killed: &HashMap<String, u64>, known: &mut Known) {
    let text = fs::read(&place.journal).unwrap();
    let text = String::from_utf8_lossy(&text);
    let records = || text.lines().filter_map(|line| line.strip_suffix(" ."));
    let mut ends = HashMap::new();
    for record in records() {
        if let ["-", process, turn, end] = record.split(' ').collect::<Vec<_>>()[..] {
            ends.insert((process, turn), end.parse().unwrap());
        }
    }
    let mut uses = Vec::new();
    for record in records() {
        let words: Vec<_> = record.split(' ').collect();
        let (id, port) = match words[..] {
            ["+", process, turn, id, port, begin] => {
                // Killed before its end.
                let end = ends.get(&(process, turn)).or_else(|| killed.get(process));
                let (begin, end) = (begin.parse().unwrap(), *end.expect("all are dead"));
                uses.push(Use {
                    id,
                    port,
                    begin,
                    end,
                });
                (id, port)
            }
            ["=", id, port] => (id, port),
            ["-", ..] => continue,
            _ => {
                known.broken.push(record.to_owned());
                continue;
            }
        };
        if !id.starts_with("fleeting") {
            let port = port.parse().unwrap();
            let first = *known.ports.entry(id.to_owned()).or_insert(port);
            if first != port {
                known
                    .broken
                    .push(format!("{id} had port {first}, and then {port}"));
            }
        }
    }
    known.uses += uses.len();
    uses.sort_by_key(|used| used.begin);
    let (mut ids, mut ports) = (HashMap::new(), HashMap::new());
    for used in &uses {
        for (what, last) in [
            (used.id, ids.entry(used.id).or_insert(used)),
            (used.port, ports.entry(used.port).or_insert(used)),
        ] {
            if !std::ptr::eq(*last, used) && last.end > used.begin {
                known.overlaps += 1;
                known
                    .broken
                    .push(format!("two had {what}: {last:?} and {used:?}"));
            }
            if used.end >= last.end {
                *last = used;
            }
        }
    }
    match read(&place.store()) {
        Ok(store) => {
            for (id, port) in &known.ports {
                if store.get(id) != Some(port) {
                    let now = store.get(id);
                    known
                        .broken
                        .push(format!("{id} had port {port}, and in the store {now:?}"));
                }
            }
        }
        Err(corrupt) => known.broken.push(corrupt),
    }
    let temporary = fs::read_dir(place.store().parent().expect("in a folder"))
        .unwrap()
        .count();
    // Beside the four, a folder without its name yet for each process of the store's first moment, at most.
    if temporary > 4 + PROCESSES {
        known.broken.push(format!(
            "{temporary} files beside the store, of at most {}",
            4 + PROCESSES
        ));
    }
}
