//! Row `surroundings`: machines, folders and neighbours as bad as they come. Each has a name, and is skipped by it
//! where it cannot be made.

pub mod file_systems;
mod foreign;
mod meanwhile;
pub mod neighbours;
mod network;

use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use port_for::{Error, ErrorKind, PortFor};

use crate::campaign::{Form, Report};

use file_systems::{full_file_system, network_file_system, read_only_file_system};
use foreign::{folder_of_another, planted, planted_by_another};
use meanwhile::{clock_set_back, edited_by_hand, folder_deleted, leases_deleted, sixty_thousand};
use neighbours::{locks_held_by_a_stranger, no_proc, stopped_holder, two_containers};
use network::{ipv6_switched_off, no_ipv6_in_the_kernel, no_ipv6_loopback, no_loopback};

const STRANGER: u32 = 54_321;

/// What it takes to make the surroundings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    /// To be root.
    Root,
    /// A network and a file system of its own: the check runs inside.
    Namespaces,
}

/// A name, what it takes, and the check, which gets an empty folder and panics when a promise is broken.
type Surroundings = (&'static str, Needs, fn(&Path));

const ALL: [Surroundings; 19] = [
    (
        "no IPv6 in the kernel",
        Needs::Nothing,
        no_ipv6_in_the_kernel,
    ),
    ("IPv6 switched off", Needs::Namespaces, ipv6_switched_off),
    ("no IPv6 loopback", Needs::Namespaces, no_ipv6_loopback),
    ("no loopback at all", Needs::Namespaces, no_loopback),
    (
        "a read-only file system",
        Needs::Namespaces,
        read_only_file_system,
    ),
    ("a full file system", Needs::Namespaces, full_file_system),
    ("a network file system", Needs::Nothing, network_file_system),
    ("another user's folder", Needs::Root, folder_of_another),
    ("planted files", Needs::Nothing, planted),
    (
        "planted files of another user",
        Needs::Root,
        planted_by_another,
    ),
    (
        "a 0644 lock held by a stranger",
        Needs::Root,
        locks_held_by_a_stranger,
    ),
    ("a stopped holder", Needs::Nothing, stopped_holder),
    ("a store edited by hand", Needs::Nothing, edited_by_hand),
    ("the clock set back", Needs::Nothing, clock_set_back),
    ("60,000 assignments", Needs::Nothing, sixty_thousand),
    ("leases deleted while held", Needs::Nothing, leases_deleted),
    ("the folder deleted", Needs::Nothing, folder_deleted),
    ("two containers", Needs::Root, two_containers),
    ("no /proc", Needs::Namespaces, no_proc),
];

pub fn all(_: Form) -> Report {
    let mut report = Report::default();
    let is_root = rustix::process::geteuid().is_root();
    let namespaces = is_root
        && unshare(["true"])
            .status()
            .is_ok_and(|status| status.success());
    let mut kept = 0;
    for (name, needs, check) in ALL {
        if needs != Needs::Nothing && !is_root {
            report.skip(name, "needs root");
            continue;
        }
        if needs == Needs::Namespaces && !namespaces {
            report.skip(name, "no namespaces here");
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let outcome = if needs == Needs::Namespaces {
            let program = std::env::current_exe().unwrap();
            let folder = folder.path().to_str().unwrap();
            let output =
                unshare([program.to_str().unwrap(), "trust:inside", name, folder]).output();
            let output = output.unwrap();
            if output.status.success() {
                Ok(())
            } else {
                Err(String::from_utf8_lossy(&output.stderr).into_owned())
            }
        } else {
            panic::catch_unwind(AssertUnwindSafe(|| check(folder.path()))).map_err(|why| {
                let text = why.downcast_ref::<String>().cloned();
                text.or_else(|| why.downcast_ref::<&str>().map(|&text| text.to_owned()))
                    .unwrap_or_default()
            })
        };
        match outcome {
            Ok(()) => kept += 1,
            Err(why) => report.broken(format!("{name}: {why}")),
        }
    }
    report.figure(format_args!("{kept} of {} surroundings", ALL.len()));
    report
}

/// In a namespace: the check of that name.
pub fn inside(name: &str, folder: &Path) -> ExitCode {
    let (.., check) = ALL
        .iter()
        .find(|(known, ..)| *known == name)
        .expect("a known name");
    check(folder);
    ExitCode::SUCCESS
}

fn unshare<'a>(words: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["--net", "--mount"])
        .args(words)
        .stdin(Stdio::null())
        .env("RUST_BACKTRACE", "0");
    command
}

fn run(words: &[&str]) {
    let output = Command::new(words[0]).args(&words[1..]).output().unwrap();
    assert!(
        output.status.success(),
        "{words:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn open(folder: &Path) -> PortFor {
    PortFor::open(folder.join("ports.json")).unwrap()
}

/// An id that no other run has.
fn api(folder: &Path) -> String {
    format!("api {}", folder.display())
}

/// Asks once more for what another process has: it ends in time, and says who and where.
#[track_caller]
fn is_refused(ports: &PortFor, id: &str, kind: ErrorKind, said: &[&str]) {
    let started = Instant::now();
    let request = ports.request(id).timeout(Duration::from_millis(200));
    let error = request
        .guard()
        .map(|guard| guard.port())
        .expect_err("another process has it");
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "it took {:?}",
        started.elapsed()
    );
    says(&error, kind, said);
}

#[track_caller]
fn says(error: &Error, kind: ErrorKind, parts: &[&str]) {
    let message = error.to_string();
    assert_eq!(error.kind(), kind, "{message}");
    for part in parts {
        assert!(message.contains(part), "{message:?} lacks {part:?}");
    }
}

/// The main job works: a new id, its port again, a real connection.
#[track_caller]
fn works(ports: &PortFor, id: &str) -> u16 {
    let mut guard = ports.guard(id).unwrap();
    let listener = guard.take_listener().unwrap();
    std::net::TcpStream::connect(guard.addr()).unwrap();
    drop(listener.accept().unwrap());
    guard.port()
}
