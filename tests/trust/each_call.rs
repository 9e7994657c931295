//! Rows `kills` and `errors`: each call of the public face, with each of its system calls made the last one, or made
//! to fail.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use port_for::PortFor;

use crate::campaign::{Form, Report};
use crate::driver::{self, CALLS, Call};
use crate::strace::{self, Place, Point, Run};

type Ports = BTreeMap<String, u16>;

/// What can go wrong on a machine with a full disk, a bad disk, other permissions, too many files, and signals.
const ERRORS: [&str; 8] = [
    "ENOSPC", "EIO", "EACCES", "EROFS", "EMFILE", "EINTR", "ENOLCK", "EDQUOT",
];

/// Calls that the kernel never fails in these ways, and whose callers in the standard library say so by aborting.
const NEVER_FAIL: [&str; 16] = [
    "getrandom",
    "geteuid",
    "getuid",
    "getpid",
    "brk",
    "mmap",
    "munmap",
    "mremap",
    "mprotect",
    "madvise",
    "futex",
    "clock_nanosleep",
    "rt_sigaction",
    "rt_sigprocmask",
    "sigaltstack",
    "sched_yield",
];

/// Calls that a signal can interrupt: the manual pages say so. The others never say `EINTR`.
/// `close` does, but is not to be tried again: the file is closed by then. (Here it is not, for strace leaves out the
/// call that it fails.)
const INTERRUPTIBLE: [&str; 10] = [
    "open",
    "openat",
    "read",
    "write",
    "pwrite64",
    "flock",
    "fsync",
    "ftruncate",
    "accept4",
    "statfs",
];

/// Killed at every system call.
pub fn killed(_: Form) -> Report {
    let mut report = try_each(|call| {
        strace::points(call)
            .into_iter()
            .map(|point| (point, "signal=KILL".to_owned(), false))
            .collect()
    });
    for call in CALLS.iter().filter(|call| call.prepared) {
        if !strace::syncs_before_rename(call) {
            let name = call.name;
            report.broken(format!(
                "{name}: a store is not on the disk when it gets its name"
            ));
        }
    }
    report
}

/// Every error at every system call: once, and from then on.
pub fn failed(form: Form) -> Report {
    try_each(|call| {
        let mut faults = Vec::new();
        for point in strace::points(call) {
            if NEVER_FAIL.contains(&&*point.syscall) {
                continue;
            }
            for error in ERRORS {
                faults.push((point.clone(), format!("error={error}"), false));
                // What signals interrupt for ever never ends, by definition. A close that fails closes all the same, but
                // not under strace, where a process would be left with all its files.
                let stays = form.pick(error == "ENOSPC", error != "EINTR");
                if stays && point.syscall != "close" {
                    faults.push((point.clone(), format!("error={error}"), true));
                }
            }
        }
        faults
    })
}

/// Another process comes in between any two system calls of an acquisition. Only one of the two has the port, and has
/// it by the store.
pub fn delayed(_: Form) -> Report {
    let call = driver::call("acquire").expect("a call");
    let points = strace::points(call);
    let tried: Vec<_> = points
        .iter()
        .flat_map(|point| [(point, true), (point, false)])
        .collect();
    let next = AtomicUsize::new(0);
    let came_first = AtomicUsize::new(0);
    let broken = Mutex::new(Vec::new());
    thread::scope(|scope| {
        let (tried, next, came_first, broken) = (&tried, &next, &came_first, &broken);
        for lane in 0..6 {
            scope.spawn(move || {
                while let Some(&(point, takes)) = tried.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let place = Place::new(call, lane);
                    let meanwhile = if takes { taken } else { given_away };
                    match meanwhile(call, &place, point) {
                        Ok(true) => drop(came_first.fetch_add(1, Ordering::Relaxed)),
                        Ok(false) => {}
                        Err(why) => broken.lock().unwrap().push(format!("at {point}: {why}")),
                    }
                }
            });
        }
    });
    let broken = broken.into_inner().unwrap();
    let mut report = Report::default();
    report.figure(format_args!("{} points tried", tried.len()));
    let came_first = came_first.into_inner();
    report.figure(format_args!("{came_first} times the other came first"));
    report.figure(format_args!("{} overlaps", broken.len()));
    if came_first * 4 < tried.len() {
        report.broken("the other hardly ever came first: nothing was tried");
    }
    for why in broken {
        report.broken(why);
    }
    report
}

/// The other forgets the id and acquires it, and closes the socket that held the port: only the lease is left.
fn taken(call: &Call, place: &Place, point: &Point) -> Result<bool, String> {
    let ports = PortFor::open(place.store()).map_err(|error| error.to_string())?;
    let (run, other, was_first) = strace::meanwhile(call, place, point, || {
        // Busy, if it comes too late.
        let _ = ports.release("a");
        let request = ports.request("a").ports(place.pool.clone());
        let mut guard = request.timeout(Duration::ZERO).guard().ok()?;
        drop(guard.take_listener());
        Some(guard)
    });
    let came_first = other.is_some() && was_first;
    if came_first && run.status.success() {
        let port = other.map(|guard| guard.port());
        return Err(format!("two hold `a`: {port:?} and {}", run.said.trim()));
    }
    Ok(came_first)
}

/// The other forgets the id and gives its port to another one.
fn given_away(call: &Call, place: &Place, point: &Point) -> Result<bool, String> {
    let ports = PortFor::open(place.store()).map_err(|error| error.to_string())?;
    let (run, other, was_first) = strace::meanwhile(call, place, point, || {
        let port = ports.release("a").ok()??;
        ports.request("other").exact_port(port).assign().ok()
    });
    let (Some(port), true) = (other, was_first) else {
        return Ok(false);
    };
    let after = read(&place.store())?;
    if after.get("other") != Some(&port) {
        return Err(format!("`other` has port {port}, but: {after:?}"));
    }
    match driver::acknowledged(&run.said) {
        Some(said) if after.get("a") != said.get("a") => {
            Err(format!("holds {said:?}, but: {after:?}"))
        }
        _ => Ok(true),
    }
}

type Fault = (Point, String, bool);

fn try_each(faults: impl Fn(&Call) -> Vec<Fault>) -> Report {
    let mut report = Report::default();
    let tried: Vec<(&Call, Fault)> = CALLS
        .iter()
        .flat_map(|call| faults(call).into_iter().map(move |fault| (call, fault)))
        .collect();
    let next = AtomicUsize::new(0);
    let (missed, done, refused) = <(AtomicUsize, AtomicUsize, AtomicUsize)>::default();
    let broken = Mutex::new(Vec::new());
    thread::scope(|scope| {
        let (tried, next, missed, done, refused, broken) =
            (&tried, &next, &missed, &done, &refused, &broken);
        for lane in 0..4 {
            scope.spawn(move || {
                while let Some((call, (point, fault, stays))) =
                    tried.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let place = Place::new(call, lane);
                    let before = read(&place.store()).unwrap();
                    let run = strace::inject(call, &place, point, fault, *stays);
                    if !run.hit {
                        missed.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    match run.status.code() {
                        Some(0) => done,
                        _ => refused,
                    }
                    .fetch_add(1, Ordering::Relaxed);
                    if let Err(why) = judge(call, &place, &before, &run, point, fault) {
                        let stays = if *stays { " and on" } else { "" };
                        broken
                            .lock()
                            .unwrap()
                            .push(format!("{}, {fault} at {point}{stays}: {why}", call.name));
                    }
                }
            });
        }
    });
    let broken = broken.into_inner().unwrap();
    report.figure(format_args!("{} calls", CALLS.len()));
    report.figure(format_args!("{} points tried", tried.len()));
    match (done.into_inner(), refused.into_inner()) {
        (0, killed) => report.figure(format_args!("{killed} kills")),
        (done, refused) => {
            report.figure(format_args!("{} faults", done + refused));
            report.figure(format_args!("{done} got over, {refused} told of"));
        }
    }
    let missed = missed.into_inner();
    if missed > 0 {
        report.figure(format_args!("{missed} not met"));
    }
    report.figure(format_args!(
        "{} lost, corrupt, changed, hung or crashed",
        broken.len()
    ));
    if missed * 20 > tried.len() {
        report.broken(format!(
            "{missed} points were not met: nothing was tried there"
        ));
    }
    for why in broken {
        report.broken(why);
    }
    report
}

/// Whether every promise was kept, judged by what the driver said and what it left.
fn judge(
    call: &Call,
    place: &Place,
    before: &Ports,
    run: &Run,
    point: &Point,
    fault: &str,
) -> Result<(), String> {
    let killed = fault.contains("KILL");
    let acknowledged = driver::acknowledged(&run.said);
    match (run.status.code(), run.status.signal()) {
        (Some(0), _) if acknowledged.is_some() => {}
        (Some(0), _) => return Err("ended well without a word".to_owned()),
        (Some(code), _) if code == i32::from(driver::FAILED) => {
            // A local folder opens without waiting for anything.
            let folder = run.complained.starts_with("cannot read the folder");
            if fault == "error=EINTR" && INTERRUPTIBLE.contains(&&*point.syscall) && !folder {
                return Err(format!("not tried again: {}", run.complained.trim()));
            }
        }
        (Some(code), _) if code == i32::from(driver::MUTE) => {}
        (_, Some(9)) if killed => {}
        // The standard library knows that closing a folder cannot fail, and the kernel that it does not.
        _ if run.complained.contains("unexpected error during closedir") => {}
        _ => {
            let complained: String = run.complained.trim().chars().take(400).collect();
            return Err(format!("{}: {complained}", run.status));
        }
    }

    let store = place.store();
    let folder = store.parent().expect("the store is in a folder");
    let after = read(&store)?;
    let mut untouched = before.clone();
    let mut left = after.clone();
    for id in call.adds.iter().chain(call.removes) {
        untouched.remove(*id);
        left.remove(*id);
    }
    if untouched != left {
        return Err(format!("other ids changed: {before:?} became {after:?}"));
    }
    let all = |ids: &[&str], there| ids.iter().all(|id| after.contains_key(*id) == there);
    let is_new = all(call.adds, true) && all(call.removes, false);
    let is_old = all(call.adds, false) && all(call.removes, true);
    if !is_new && !is_old {
        return Err(format!("neither old nor new: {after:?}"));
    }
    if let Some(acknowledged) = acknowledged {
        if !is_new {
            return Err(format!("done, but lost: {after:?}"));
        }
        for (id, port) in acknowledged {
            if after.get(&id) != Some(&port) {
                return Err(format!("said {id}={port}, but: {after:?}"));
            }
        }
    }

    if call.shared {
        is_open_to_the_group(folder)?;
    }

    // The next one comes along.
    let started = Instant::now();
    let ports = PortFor::open(&store).map_err(|error| error.to_string())?;
    for id in ["a", "b", "new"] {
        let request = ports.request(id).ports(place.pool.clone());
        let request = request.timeout(Duration::from_secs(1));
        let guards = driver::again(call, request, id).guards();
        let guards = guards.map_err(|error| format!("the next one: {error}"))?;
        let port = guards[0].port();
        if after.get(id).is_some_and(|&known| known != port) {
            return Err(format!("{id} has port {port} now: {after:?}"));
        }
    }
    ports
        .request("later")
        .ports(place.pool.clone())
        .assign()
        .map_err(|error| format!("the next write: {error}"))?;
    let took = started.elapsed();
    if took > Duration::from_secs(4) {
        return Err(format!("the next three guards and a write took {took:?}"));
    }
    let mut names: Vec<String> = fs::read_dir(folder)
        .map_err(|error| error.to_string())?
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    // What a kill left before the folder of leases had its name: once in the life of a store.
    names.retain(|name| !(killed && call.shared && name.starts_with(".tmp")));
    if names != ["ports.json", "ports.json.leases", "ports.json.lock"] {
        return Err(format!("left behind: {names:?}"));
    }
    Ok(())
}

/// Whether what has its name in a folder that a group shares is open to the group: others cannot open it by themselves.
fn is_open_to_the_group(folder: &Path) -> Result<(), String> {
    for entry in fs::read_dir(folder).map_err(|error| error.to_string())? {
        let (path, found) = entry
            .and_then(|entry| Ok((entry.path(), entry.metadata()?)))
            .map_err(|error| error.to_string())?;
        let name = entry_name(&path);
        if name.starts_with(".tmp") || name == "ports.json.new" {
            continue;
        }
        let open = if found.is_dir() { 0o2770 } else { 0o660 };
        if found.mode() & 0o7777 != open {
            return Err(format!("{name} keeps the group out: {:o}", found.mode()));
        }
        if found.is_dir() {
            is_open_to_the_group(&path)?;
        }
    }
    Ok(())
}

fn entry_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// The assignments as they are in the file, read by other code than the crate's own.
pub fn read(store: &Path) -> Result<Ports, String> {
    let text = match fs::read(store) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Ports::new()),
        Err(error) => return Err(error.to_string()),
    };
    let corrupt = || format!("corrupt: {:?}", String::from_utf8_lossy(&text));
    let value: serde_json::Value = serde_json::from_slice(&text).map_err(|_| corrupt())?;
    let ports = value["ports"].as_object().ok_or_else(corrupt)?;
    ports
        .iter()
        .map(|(id, port)| {
            let port = port.as_u64().and_then(|port| u16::try_from(port).ok());
            Ok((id.clone(), port.ok_or_else(corrupt)?))
        })
        .collect()
}
