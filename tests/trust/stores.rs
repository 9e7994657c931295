//! Row `stores`: two users with a store each, and so one port for each id, run the same suite at once.
//!
//! Each uses every port in turn: held, vacated and bound by hand, handed to a child that binds it, taken. Overlaps are found
//! afterwards, in what both wrote down.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use port_for::{Error, PortFor, PortGuard};

use crate::campaign::{Form, Report};

const IDS: usize = 20;
const HANDOFFS: [&str; 3] = ["vacate", "spawn", "take_listener"];
/// A user that every Linux has, and that owns nothing.
const OTHER_USER: &str = "65534";

/// How long a port is used: the load of this row.
const USE: Duration = Duration::from_millis(5);

/// How often both ask for the next port: one after the other, they use it for about as long.
const TURN: Duration = Duration::from_millis(20);

pub fn two(form: Form) -> Report {
    let rounds = form.pick(50, 500);
    let mut report = Report::default();
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        report.skip(
            "two users",
            "only root can be another one; two stores of one user instead",
        );
    }
    for handoff in HANDOFFS {
        // Where a program is started, a round takes a hundred times as long.
        let rounds = if handoff == "spawn" {
            rounds / 10
        } else {
            rounds
        };
        try_one(&mut report, handoff, rounds, is_root);
    }
    report
}

fn try_one(report: &mut Report, handoff: &str, rounds: usize, is_root: bool) {
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let users = [None, is_root.then_some(OTHER_USER)];
    for (folder, user) in folders.iter().zip(users) {
        // Both know all ids, and the same ports, before the first one is used.
        let store = PortFor::open(folder.path().join("ports.json")).unwrap();
        for nth in 0..IDS {
            store.forward_port(&id(handoff, nth), 0).unwrap();
        }
        drop(store);
        if let Some(user) = user {
            let chown = Command::new("chown")
                .args(["-R", user])
                .arg(folder.path())
                .status();
            assert!(chown.unwrap().success());
        }
    }
    let children: Vec<_> = folders
        .iter()
        .zip(users)
        .map(|(folder, user)| work_as(user, folder.path(), handoff, rounds))
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        if !output.status.success() {
            report.broken(format!(
                "{handoff}: {}",
                String::from_utf8_lossy(&output.stderr)
            ));
        }
    }
    let [ours, theirs] = folders.map(|folder| uses(&folder.path().join("journal")));
    let (count, stolen) = (ours.len() + theirs.len(), |uses: &[Use]| {
        uses.iter().filter(|it| it.stolen).count()
    });
    let stolen = stolen(&ours) + stolen(&theirs);
    let overlaps = ours
        .iter()
        .filter(|ours| {
            theirs.iter().any(|theirs| {
                ours.port == theirs.port && ours.begin < theirs.end && theirs.begin < ours.end
            })
        })
        .count();
    let mut waits: Vec<_> = ours.iter().chain(&theirs).map(|it| it.waited).collect();
    waits.sort_unstable();
    let median = waits.get(waits.len() / 2).copied().unwrap_or_default() / 1_000_000;
    report.figure(format_args!(
        "{handoff}: {count} uses, {overlaps} overlaps, {stolen} stolen, median wait {median} ms"
    ));
    if count != 2 * IDS * rounds {
        report.broken(format!(
            "{handoff}: {count} uses instead of {}",
            2 * IDS * rounds
        ));
    }
    if overlaps + stolen > 0 {
        report.broken(format!("{handoff}: {overlaps} overlaps, {stolen} stolen"));
    }
}

fn id(handoff: &str, nth: usize) -> String {
    format!("stores/{handoff}/{nth}")
}

fn work_as(user: Option<&str>, folder: &Path, handoff: &str, rounds: usize) -> Child {
    let this = std::env::current_exe().unwrap();
    let mut command = match user {
        None => Command::new(this),
        Some(user) => {
            let mut command = Command::new("setpriv");
            command
                .args(["--reuid", user, "--regid", user, "--clear-groups"])
                .arg(this);
            command
        }
    };
    command
        .args(["trust:stores", handoff, &rounds.to_string()])
        .arg(folder)
        .env("PORT_FOR_TIMEOUT", "120")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// One of the two: uses all ports, round after round, and writes down when.
pub fn work(handoff: &str, rounds: &str, folder: &Path) -> ExitCode {
    let store = PortFor::open(folder.join("ports.json")).unwrap();
    let mut journal = String::new();
    let rounds: usize = rounds.parse().unwrap();
    for _ in 0..rounds * IDS {
        // Both ask for the same port at one time, or they would pass each other by.
        let turn = now() / TURN.as_nanos() + 1;
        let wait = (turn * TURN.as_nanos()).saturating_sub(now());
        thread::sleep(Duration::from_nanos(u64::try_from(wait).unwrap()));
        let nth = usize::try_from(turn % IDS as u128).unwrap();
        let asked = now();
        let line = store.guard(&id(handoff, nth)).and_then(|guard| {
            let waited = now() - asked;
            use_port(guard, handoff).map(|it| format!("{it} {waited}\n"))
        });
        match line {
            Ok(line) => journal += &line,
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        }
    }
    fs::write(folder.join("journal"), journal).unwrap();
    ExitCode::SUCCESS
}

/// Port, begin, end, and whether the port was stolen in between.
fn use_port(mut guard: PortGuard, handoff: &str) -> Result<String, Error> {
    let begin = now();
    let mut is_stolen = false;
    match handoff {
        "vacate" => {
            let addr = guard.vacate()?;
            thread::sleep(USE);
            is_stolen = TcpListener::bind(addr).is_err();
        }
        "spawn" => {
            let mut command = Command::new("python3");
            let port = guard.port().to_string();
            command.args(["-m", "http.server", "--bind", "127.0.0.1", &port]);
            let mut server = guard.spawn(&mut command)?;
            is_stolen = server.wait_ready(Duration::from_secs(60)).is_err();
        }
        _ => {
            let _listener = guard.take_listener()?;
            thread::sleep(USE);
        }
    }
    let end = now();
    let port = guard.port();
    guard.close()?;
    Ok(format!("{port} {begin} {end} {is_stolen}"))
}

struct Use {
    port: u16,
    begin: u128,
    end: u128,
    stolen: bool,
    waited: u128,
}

fn uses(journal: &Path) -> Vec<Use> {
    let text = fs::read_to_string(journal).unwrap_or_default();
    let parse = |line: &str| {
        let mut words = line.split(' ');
        Some(Use {
            port: words.next()?.parse().ok()?,
            begin: words.next()?.parse().ok()?,
            end: words.next()?.parse().ok()?,
            stolen: words.next()?.parse().ok()?,
            waited: words.next()?.parse().ok()?,
        })
    };
    text.lines().filter_map(parse).collect()
}

/// Nanoseconds; both processes have one clock.
fn now() -> u128 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_nanos()
}
