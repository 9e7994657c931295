//! The driver under strace: which system calls a call makes, and what happens when one of them goes wrong.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use port_for::{PortFor, PortSet};

use crate::driver::{self, BEGIN, Call, END};
use crate::support::child::this_program;
use crate::support::eventually;
use crate::support::wait::within;

/// The n-th use of a system call by the driver, counted from its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    pub syscall: String,
    pub nth: usize,
}

impl std::fmt::Display for Point {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} #{}", self.syscall, self.nth)
    }
}

/// What a run under fault came to.
#[derive(Debug)]
pub struct Run {
    pub status: ExitStatus,
    pub said: String,
    pub complained: String,
    /// Whether the fault met the driver between its marks, and not before: how often a call is made at start-up can
    /// differ by one.
    pub hit: bool,
}

/// A store in a folder, and beside the folder the trace.
#[derive(Debug)]
pub struct Place {
    folder: tempfile::TempDir,
    /// Where no port is given unasked, and each lane has ports of its own: all traces of a call are alike.
    pub pool: PortSet,
}

impl Place {
    /// With the store as the call finds it.
    pub fn new(call: &Call, lane: u16) -> Self {
        // The ten behind are for those who ask for a port by its number. Two campaigns on one machine have their own as well, mostly.
        let campaign = u16::try_from(std::process::id() % 6).expect("below 6");
        let first = 61_100 + 700 * campaign + 100 * lane;
        let place = Self {
            folder: tempfile::tempdir().unwrap(),
            pool: PortSet::from(first..=first + 89),
        };
        let folder = place.folder.path().join("store");
        fs::create_dir(&folder).unwrap();
        let mode = if call.shared { 0o2770 } else { 0o700 };
        fs::set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
        if call.prepared {
            let ports = PortFor::open(place.store()).unwrap();
            for id in driver::OLD {
                let request = ports.request(id).ports(place.pool.clone());
                request.guard().unwrap().close().unwrap();
            }
        }
        place
    }

    pub fn store(&self) -> PathBuf {
        self.folder.path().join("store/ports.json")
    }

    fn trace(&self) -> PathBuf {
        self.folder.path().join("trace")
    }
}

/// Every system call between the marks, in order.
pub fn points(call: &Call) -> Vec<Point> {
    let place = Place::new(call, 0);
    let run = strace(call, &place, "all", None);
    assert!(run.status.success(), "{}: {}", call.name, run.complained);
    let trace = fs::read_to_string(place.trace()).unwrap();
    let mut counts = std::collections::HashMap::<String, usize>::new();
    let mut points = Vec::new();
    let mut between = false;
    for line in trace.lines() {
        let Some(syscall) = syscall_of(line) else {
            continue;
        };
        let nth = counts.entry(syscall.to_owned()).or_default();
        *nth += 1;
        let begins = line.contains(BEGIN);
        if between && !begins {
            points.push(Point {
                syscall: syscall.to_owned(),
                nth: *nth,
            });
        }
        between = (between || begins) && !line.contains(END);
    }
    assert!(points.len() > 5, "{}: the trace has the call", call.name);
    points
}

/// Whether the call put its new store on the disk before it gave it the store's name. A kill cannot show that, only a
/// power cut could.
pub fn syncs_before_rename(call: &Call) -> bool {
    let place = Place::new(call, 0);
    let run = strace(call, &place, "write,fsync,rename,renameat,renameat2", None);
    assert!(run.status.success(), "{}: {}", call.name, run.complained);
    let trace = fs::read_to_string(place.trace()).unwrap();
    let syscalls: Vec<_> = trace.lines().filter_map(syscall_of).collect();
    let renames = syscalls
        .iter()
        .filter(|syscall| syscall.starts_with("rename"));
    let is_synced = |at: usize| at >= 2 && syscalls[at - 2..at] == ["write", "fsync"];
    let synced =
        (0..syscalls.len()).filter(|&at| syscalls[at].starts_with("rename") && is_synced(at));
    synced.count() == renames.count()
}

/// The call with a fault: `signal=KILL`, `error=EIO`. `from` is `+` for a fault that stays.
pub fn inject(call: &Call, place: &Place, point: &Point, fault: &str, stays: bool) -> Run {
    let stays = if stays { "+" } else { "" };
    let Point { syscall, nth } = point;
    let fault = format!("{syscall}:{fault}:when={nth}{stays}");
    let mut run = strace(call, place, &format!("{syscall},statx"), Some(&fault));
    let trace = fs::read_to_string(place.trace()).unwrap_or_default();
    let mut lines = trace.lines();
    let begun = lines.any(|line| line.contains(BEGIN) && !line.contains("INJECTED"));
    run.hit = begun && lines.any(|line| line.contains("INJECTED") || line.contains("killed by"));
    run
}

/// The call where the kernel has no IPv6: sockets of that family cannot be made.
pub fn without_ipv6(call: &Call) -> Run {
    let place = Place::new(call, 0);
    let run = strace(call, &place, "socket", None);
    assert!(run.status.success(), "{}: {}", call.name, run.complained);
    let trace = fs::read_to_string(place.trace()).unwrap();
    let is_v6: Vec<_> = trace
        .lines()
        .map(|line| line.contains("AF_INET6"))
        .collect();
    let first = is_v6.iter().position(|&is| is);
    let first = first.expect("IPv6 is asked for where there is some");
    assert!(
        is_v6[first..].iter().all(|&is| is),
        "no other socket comes after"
    );
    let point = Point {
        syscall: "socket".to_owned(),
        nth: first + 1,
    };
    inject(
        call,
        &Place::new(call, 0),
        &point,
        "error=EAFNOSUPPORT",
        true,
    )
}

/// The name in a line such as `4242 openat(AT_FDCWD, …`.
fn syscall_of(line: &str) -> Option<&str> {
    let line = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
    let (name, _) = line.split_once('(')?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then_some(name)
}

/// The driver under strace, running.
#[derive(Debug)]
struct Running<'a> {
    child: Child,
    place: &'a Place,
    name: String,
}

fn strace(call: &Call, place: &Place, syscalls: &str, fault: Option<&str>) -> Run {
    start(call, place, syscalls, fault).finish()
}

fn start<'a>(call: &Call, place: &'a Place, syscalls: &str, fault: Option<&str>) -> Running<'a> {
    let mut command = Command::new("strace");
    command
        .args(["-f", "-qq", "-s", "64", "-o"])
        .arg(place.trace())
        .args(["-e", &format!("trace={syscalls}")]);
    if let Some(fault) = fault {
        command.args(["-e", &format!("inject={fault}")]);
    }
    command.arg(this_program().get_program());
    command.args(["trust:call", call.name]).arg(place.store());
    for variable in ["STORE", "NAMESPACE"] {
        command.env_remove(format!("PORT_FOR_{variable}"));
    }
    let output = |name: &str| fs::File::create(place.folder.path().join(name)).unwrap();
    let child = command
        .env("PORT_FOR_POOL", place.pool.to_string())
        .env("PORT_FOR_TIMEOUT", "1")
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(output("stdout"))
        .stderr(output("stderr"))
        .spawn()
        .unwrap();
    Running {
        child,
        place,
        name: format!("{} with {fault:?}", call.name),
    }
}

impl Running<'_> {
    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.place.folder.path().join(name)).unwrap_or_default()
    }

    fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Whether the driver is in the call, or past it.
    fn has_reached(&self, point: &Point) -> bool {
        let trace = fs::read_to_string(self.place.trace()).unwrap_or_default();
        // A call is written down when it begins.
        let calls = trace.lines().filter_map(syscall_of);
        calls.filter(|&call| call == point.syscall).count() >= point.nth
    }

    fn finish(mut self) -> Run {
        const LIMIT: Duration = Duration::from_secs(60);
        if !within(LIMIT, || self.has_ended()) {
            // The driver's own waits end after a second: it hangs.
            self.child.kill().unwrap();
            let status = self.child.wait().unwrap();
            panic!("{} never ends ({status})", self.name);
        }
        let status = self.child.wait().unwrap();
        Run {
            status,
            said: self.read("stdout"),
            complained: self.read("stderr"),
            hit: false,
        }
    }
}

/// The call, kept waiting before a system call, and what another process does meanwhile: the answer says whether the
/// call had not ended by the time when that was done.
pub fn meanwhile<T>(
    call: &Call,
    place: &Place,
    point: &Point,
    act: impl FnOnce() -> T,
) -> (Run, T, bool) {
    const DELAY: Duration = Duration::from_millis(300);
    let Point { syscall, nth } = point;
    let delay = DELAY.as_micros();
    let fault = format!("{syscall}:delay_enter={delay}:when={nth}");
    let mut running = start(call, place, syscall, Some(&fault));
    eventually("the call", || {
        running.has_reached(point) || running.has_ended()
    });
    let acted = act();
    let was_first = running.read("stdout").is_empty();
    (running.finish(), acted, was_first)
}
