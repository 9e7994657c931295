//! Row `surroundings`: machines, folders and neighbours as bad as they come. Each has a name, and is skipped by it
//! where it cannot be made.

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use port_for::{Error, ErrorKind, PortFor, PortSet};
use rustix::process::{Pid, Signal, kill_process};

use crate::campaign::{Form, Report};
use crate::driver;
use crate::each_call::read;
use crate::strace;

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

const ALL: [Surroundings; 18] = [
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

/// In a child: holds the id until the parent closes the pipe.
pub fn hold(store: &str, id: &str) -> ExitCode {
    let guard = PortFor::open(store).unwrap().guard(id).unwrap();
    println!("{}", guard.port());
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    ExitCode::SUCCESS
}

/// In a child: locks the file, as whoever may read it can, until the parent closes the pipe.
pub fn lock(path: &str) -> ExitCode {
    let file = File::open(path).unwrap();
    fs2::FileExt::try_lock_exclusive(&file).unwrap();
    println!("locked");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
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

/// A child that said a line and waits; killed when dropped.
struct Helper {
    child: Child,
    said: String,
}

impl Helper {
    fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut said).unwrap();
        let helper = Self {
            child,
            said: said.trim().to_owned(),
        };
        assert!(!helper.said.is_empty(), "the helper is there");
        helper
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Lets it end by itself.
    fn end(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // It has ended already, if all went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn this_program(words: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(words);
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

/// Asks once more for what somebody has: it ends in time, and says who and where.
#[track_caller]
fn is_refused(ports: &PortFor, id: &str, kind: ErrorKind, said: &[&str]) {
    let started = Instant::now();
    let request = ports.request(id).timeout(Duration::from_millis(200));
    let error = request
        .guard()
        .map(|guard| guard.port())
        .expect_err("somebody has it");
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

fn no_ipv6_in_the_kernel(_: &Path) {
    let call = driver::call("assign").expect("a call");
    let run = strace::without_ipv6(call);
    assert!(run.hit, "IPv6 was asked for, and was not there");
    assert!(run.status.success(), "{}", run.complained);
}

fn ipv6_switched_off(folder: &Path) {
    for interface in ["all", "default", "lo"] {
        fs::write(
            format!("/proc/sys/net/ipv6/conf/{interface}/disable_ipv6"),
            "1",
        )
        .unwrap();
    }
    run(&["ip", "link", "set", "lo", "up"]);
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).expect_err("IPv6 is off");
    works(&open(folder), "api");
}

fn no_ipv6_loopback(folder: &Path) {
    run(&["ip", "link", "set", "lo", "up"]);
    run(&["ip", "-6", "address", "del", "::1/128", "dev", "lo"]);
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).expect_err("there is no such address");
    let ports = open(folder);
    works(&ports, "api");
    let request = ports.request("v6").host(Ipv6Addr::LOCALHOST);
    says(
        &request.guard().unwrap_err(),
        ErrorKind::Bind,
        &["[::1]:", "`v6`"],
    );
}

/// A fresh network namespace: nothing is up. Numbers are assigned; holding works, or says why not.
fn no_loopback(folder: &Path) {
    let ports = open(folder);
    ports.forward_port("api", 0).unwrap();
    if let Err(error) = ports.guard("api") {
        says(&error, ErrorKind::Bind, &["127.0.0.1"]);
    }
}

fn read_only_file_system(folder: &Path) {
    run(&["ip", "link", "set", "lo", "up"]);
    // A handle that has had a guard keeps the lease's file open, through which it can still write.
    let port = open(folder).guard("api").unwrap().port();
    let ports = open(folder);
    assert_eq!(ports.forward_port("api", 0).unwrap(), port);
    let text = fs::read(ports.path()).unwrap();
    let at = folder.to_str().unwrap();
    run(&["mount", "--bind", at, at]);
    run(&["mount", "-o", "remount,ro,bind", at]);
    for ports in [&ports, &open(folder)] {
        assert_eq!(ports.forward_port("api", 0).unwrap(), port);
        is_refused(
            ports,
            "api",
            ErrorKind::Store,
            &["Read-only", "PORT_FOR_STORE"],
        );
        is_refused(
            ports,
            "new",
            ErrorKind::Store,
            &["Read-only", "PORT_FOR_STORE"],
        );
        says(
            &ports.release("api").unwrap_err(),
            ErrorKind::Store,
            &["Read-only"],
        );
    }
    assert_eq!(fs::read(ports.path()).unwrap(), text);
    run(&["umount", at]);
    works(&ports, "new");
}

fn full_file_system(folder: &Path) {
    run(&["ip", "link", "set", "lo", "up"]);
    let at = folder.to_str().unwrap();
    run(&[
        "mount",
        "-t",
        "tmpfs",
        "-o",
        "size=64k,mode=700",
        "none",
        at,
    ]);
    let ports = open(folder);
    let port = ports.guard("api").unwrap().port();
    let mut rest = File::create(folder.join("rest")).unwrap();
    while rest.write_all(&[1; 512]).is_ok() {}
    // What is known and was used before needs no room.
    assert_eq!(open(folder).guard("api").unwrap().port(), port);
    for turn in 0..50 {
        let error = ports.forward_port(&format!("new {turn}"), 0).unwrap_err();
        says(&error, ErrorKind::Store, &["No space", "PORT_FOR_STORE"]);
        assert_eq!(read(ports.path()).unwrap().get("api"), Some(&port));
    }
    drop(rest);
    fs::remove_file(folder.join("rest")).unwrap();
    works(&ports, "new");
    assert_eq!(ports.forward_port("api", 0).unwrap(), port);
    assert!(!folder.join("ports.json.new").exists());
}

fn folder_of_another(folder: &Path) {
    let theirs = folder.join("theirs");
    fs::create_dir(&theirs).unwrap();
    chown(&theirs, Some(STRANGER), Some(STRANGER)).unwrap();
    is_refused(
        &open(&theirs),
        "api",
        ErrorKind::Store,
        &["belongs to user 54321"],
    );
    assert_eq!(fs::read_dir(&theirs).unwrap().count(), 0);
    // The folder of leases in a folder that many may write to.
    let many = folder.join("many");
    fs::create_dir(&many).unwrap();
    fs::set_permissions(&many, Permissions::from_mode(0o1777)).unwrap();
    let leases = many.join("ports.json.leases");
    fs::create_dir(&leases).unwrap();
    chown(&leases, Some(STRANGER), Some(STRANGER)).unwrap();
    is_refused(
        &open(&many),
        "api",
        ErrorKind::Store,
        &["belongs to user 54321"],
    );
}

/// Where the crate's files go: the store, its lock, its temporary file, the folder of leases, a lease.
fn places(folder: &Path) -> [PathBuf; 5] {
    let ports = open(folder);
    let port = ports.guard("api").unwrap().port();
    let beside = |suffix: &str| folder.join(format!("ports.json{suffix}"));
    [
        beside(""),
        beside(".lock"),
        beside(".new"),
        beside(".leases"),
        beside(&format!(".leases/{port}.lock")),
    ]
}

fn planted(folder: &Path) {
    plant_everywhere(folder, |planted, target| {
        symlink(target, planted).unwrap();
    });
    plant_everywhere(folder, |planted, _| {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        mknodat(CWD, planted, FileType::Fifo, Mode::RWXU, 0).unwrap();
    });
    plant_everywhere(folder, |planted, _| {
        fs::create_dir(planted).unwrap();
        File::create(planted.join("inside")).unwrap();
    });
    plant_everywhere(folder, |planted, _| {
        std::os::unix::net::UnixListener::bind(planted).unwrap();
    });
    second_names(folder);
}

/// In a folder that many may write to, names for a file that is ours and has nothing to do with ports.
fn second_names(folder: &Path) {
    const PRECIOUS: &str = "{\"version\": 1, \"ports\": {}}";
    for nth in [0, 1, 2, 4] {
        let store = tempfile::tempdir_in(folder).unwrap();
        fs::set_permissions(store.path(), Permissions::from_mode(0o1777)).unwrap();
        let place = places(store.path())[nth].clone();
        let target = store.path().join("target");
        fs::write(&target, PRECIOUS).unwrap();
        let _ = fs::remove_file(&place);
        if nth == 4 {
            fs::set_permissions(place.parent().unwrap(), Permissions::from_mode(0o1777)).unwrap();
        }
        fs::hard_link(&target, &place).unwrap();
        let ports = open(store.path());
        for outcome in [
            ports.guard("api").map(drop),
            ports.forward_port("new", 0).map(drop),
        ] {
            let Err(error) = outcome else { continue };
            says(&error, ErrorKind::Store, &["hard link"]);
        }
        let text = fs::read_to_string(target).unwrap();
        assert_eq!(text, PRECIOUS, "by the name {}", place.display());
    }
}

/// What asks for the default store says where it is, and which port it gives; or why not.
pub fn default_store(id: &str) -> ExitCode {
    let asked = PortFor::shared().and_then(|ports| Ok((ports.path(), ports.forward_port(id, 0)?)));
    match asked {
        Ok((path, port)) => println!("{} {port}", path.display()),
        Err(error) => println!("{error}"),
    }
    ExitCode::SUCCESS
}

/// A home that the system says is on NFS, and a store there that somebody asked for.
fn network_file_system(folder: &Path) {
    let (home, temp) = (folder.join("home"), folder.join("temp"));
    for folder in [&home, &temp] {
        fs::create_dir(folder).unwrap();
    }
    let state = home.join(".local/state/port-for");
    let ask = |store: Option<&Path>| {
        let mut command = Command::new("strace");
        command.args(["-qq", "-o", "/dev/null", "-e", "trace=statfs"]);
        // The number of NFS, where the kernel writes what kind of file system it is.
        let fault = format!("inject=statfs:poke_exit=@arg2={}", "6969000000000000");
        command.args(["-e", &fault]);
        for path in state.ancestors().take(4) {
            command.arg("-P").arg(path);
        }
        command.arg(std::env::current_exe().unwrap());
        command.args(["trust:default", &api(folder)]);
        for ours in ["STORE", "NAMESPACE", "TIMEOUT", "POOL"] {
            command.env_remove(format!("PORT_FOR_{ours}"));
        }
        command.env_remove("XDG_STATE_HOME");
        command.env("HOME", &home).env("TMPDIR", &temp);
        command.envs(store.map(|store| ("PORT_FOR_STORE", store)));
        let output = command.output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let first = ask(None);
    assert!(first.starts_with(temp.to_str().unwrap()), "{first}");
    assert!(!state.exists(), "nothing is made there");
    assert_eq!(ask(None), first, "each process goes there");
    fs::create_dir_all(&state).unwrap();
    assert_eq!(ask(None), first, "also from a folder of before");
    let refused = ask(Some(&state.join("ports.json")));
    for part in ["network file system (NFS)", "PORT_FOR_STORE"] {
        assert!(refused.contains(part), "{refused:?} lacks {part:?}");
    }
    assert_eq!(fs::read_dir(&state).unwrap().count(), 0);
}

fn planted_by_another(folder: &Path) {
    plant_everywhere(folder, |planted, _| {
        fs::write(planted, "{\"version\": 1, \"ports\": {}}").unwrap();
        chown(planted, Some(STRANGER), Some(STRANGER)).unwrap();
    });
    plant_everywhere(folder, |planted, _| {
        fs::create_dir(planted).unwrap();
        chown(planted, Some(STRANGER), Some(STRANGER)).unwrap();
    });
    in_the_place_of_a_folder(folder);
}

/// A link to a folder elsewhere, where the leases were of a process that goes on.
fn in_the_place_of_a_folder(folder: &Path) {
    let store = tempfile::tempdir_in(folder).unwrap();
    let ports = open(store.path());
    // The second time, the folder is there, and is found to be ours.
    for _ in 0..2 {
        drop(ports.guard("api").unwrap());
    }
    let target = store.path().join("target");
    fs::create_dir(&target).unwrap();
    let leases = &places(store.path())[3];
    fs::remove_dir_all(leases).unwrap();
    symlink(&target, leases).unwrap();
    std::os::unix::fs::lchown(leases, Some(STRANGER), Some(STRANGER)).unwrap();
    let error = ports.guard("api").unwrap_err();
    says(&error, ErrorKind::Store, &["symbolic link", "leases"]);
    assert_eq!(fs::read_dir(&target).unwrap().count(), 0);
}

/// Plants something in each place in turn. What comes of it is an error that names the place, or no more than that
/// what was planted is gone; never a wait, and nothing is written elsewhere.
#[track_caller]
fn plant_everywhere(folder: &Path, plant: fn(&Path, &Path)) {
    for nth in 0..5 {
        let store = tempfile::tempdir_in(folder).unwrap();
        let place = places(store.path())[nth].clone();
        let target = store.path().join("target");
        match fs::symlink_metadata(&place) {
            Ok(found) if found.is_dir() => fs::remove_dir_all(&place).unwrap(),
            Ok(_) => fs::remove_file(&place).unwrap(),
            Err(_) => {}
        }
        plant(&place, &target);
        let started = Instant::now();
        let ports = open(store.path());
        for outcome in [
            ports.guard("api").map(drop),
            ports.forward_port("new", 0).map(drop),
            ports.release("api").map(drop),
        ] {
            let Err(error) = outcome else { continue };
            let name = place.file_name().unwrap().to_str().unwrap();
            // The temporary file's failure is the store's.
            says(&error, ErrorKind::Store, &[name.trim_end_matches(".new")]);
        }
        let took = started.elapsed();
        assert!(
            took < Duration::from_secs(5),
            "{}: {took:?}",
            place.display()
        );
        assert!(!target.exists(), "{} was followed", place.display());
    }
}

/// Our files, readable by all for some reason: whoever can read a file can lock it.
fn locks_held_by_a_stranger(folder: &Path) {
    let program = folder.join("program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
    let ports = open(folder);
    let port = ports.guard("api").unwrap().port();
    let leases = folder.join("ports.json.leases");
    fs::set_permissions(&leases, Permissions::from_mode(0o755)).unwrap();
    let stranger = |path: &Path| {
        fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
        let mut command = Command::new(&program);
        command
            .arg("trust:lock")
            .arg(path)
            .gid(STRANGER)
            .uid(STRANGER);
        Helper::start(&mut command)
    };
    let lock = stranger(&folder.join("ports.json.lock"));
    assert_eq!(ports.guard("api").unwrap().port(), port);
    is_refused(
        &ports,
        "new",
        ErrorKind::Store,
        &["ports.json.lock", "PORT_FOR_TIMEOUT"],
    );
    lock.end();
    let lease = leases.join(format!("{port}.lock"));
    let held = stranger(&lease);
    is_refused(
        &ports,
        "api",
        ErrorKind::Busy,
        &[lease.to_str().unwrap(), "longer timeout"],
    );
    works(&ports, "new");
    held.end();
    assert_eq!(works(&ports, "api"), port);
}

fn stopped_holder(folder: &Path) {
    let (ports, id) = (open(folder), api(folder));
    let holder = Helper::start(&mut this_program(&[
        "trust:hold",
        ports.path().to_str().unwrap(),
        &id,
    ]));
    holder.signal(Signal::STOP);
    let pid = format!("process {}", holder.child.id());
    is_refused(
        &ports,
        &id,
        ErrorKind::Busy,
        &[&id, &holder.said, &pid, "trust:hold"],
    );
    says(&ports.release(&id).unwrap_err(), ErrorKind::Busy, &[&pid]);
    // Nobody else is kept waiting.
    works(&ports, "other");
    holder.signal(Signal::CONT);
    let port = holder.said.clone();
    holder.end();
    assert_eq!(works(&ports, &id).to_string(), port);
}

/// As an editor does that writes in place: it empties the file, and fills it again.
fn edited_by_hand(folder: &Path) {
    const IDS: usize = 4;
    let ports = open(folder);
    let ids: Vec<_> = (0..IDS)
        .map(|nth| format!("{nth} {}", api(folder)))
        .collect();
    let assigned: Vec<_> = ids
        .iter()
        .map(|id| ports.forward_port(id, 0).unwrap())
        .collect();
    let text = fs::read(ports.path()).unwrap();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = ids
            .iter()
            .zip(&assigned)
            .map(|(id, &port)| {
                let over = &over;
                scope.spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        assert_eq!(open(folder).guard(id).unwrap().port(), port);
                    }
                })
            })
            .collect();
        for turn in 0..200 {
            let mut file = File::create(ports.path()).unwrap();
            let (half, rest) = text.split_at(text.len() / 2);
            for part in [half, rest, &vec![b'\n'; turn % 5]] {
                file.write_all(part).unwrap();
                thread::sleep(Duration::from_micros(500));
            }
        }
        over.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.join().expect("no reader met half a store");
        }
    });
    works(&ports, "new");
    assert_eq!(read(ports.path()).unwrap().len(), IDS + 1);
}

/// Seen from a clock that was set back, all files and records are from the future.
fn clock_set_back(folder: &Path) {
    let (ports, id) = (open(folder), api(folder));
    let port = ports.guard(&id).unwrap().port();
    let future = SystemTime::now() + Duration::from_secs(10 * 365 * 24 * 3600);
    let lease = folder.join(format!("ports.json.leases/{port}.lock"));
    let date_all = || {
        for path in [ports.path(), &lease, &folder.join("ports.json.lock")] {
            File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_modified(future)
                .unwrap();
        }
    };
    date_all();
    for ports in [&ports, &open(folder)] {
        assert_eq!(works(ports, &id), port);
    }
    let guard = ports.guard(&id).unwrap();
    date_all();
    let since = future
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_millis();
    let note = format!(r#"{{"pid":1,"test":null,"command":"tester","since_ms":{since}}}"#);
    fs::write(&lease, note).unwrap();
    thread::scope(|scope| {
        let other = scope.spawn(|| is_refused(&ports, &id, ErrorKind::Busy, &["`tester`"]));
        other.join().unwrap();
    });
    drop(guard);
    // Edited after the clock was set back: an older time than the one that was read before.
    let mut text = fs::read_to_string(ports.path()).unwrap();
    text = text.replace("\"ports\": {", "\"ports\": {\n    \"a\": 23817,");
    fs::write(ports.path(), text).unwrap();
    File::options()
        .write(true)
        .open(ports.path())
        .unwrap()
        .set_modified(SystemTime::UNIX_EPOCH)
        .unwrap();
    assert_eq!(ports.forward_port("a", 0).unwrap(), 23817);
    assert_eq!(ports.release(&id).unwrap(), Some(port));
    works(&ports, &id);
}

fn sixty_thousand(folder: &Path) {
    // A walk by thousands of ports that are in use; on a busy machine it takes its time.
    const LIMIT: Duration = Duration::from_secs(60);
    // All but those that this check takes for itself.
    let assigned = (1_025..=61_024)
        .map(|port: u16| format!("\"id {port:05}\": {port}"))
        .collect::<Vec<_>>();
    let path = folder.join("ports.json");
    fs::write(
        &path,
        format!("{{\"version\": 1, \"ports\": {{{}}}}}", assigned.join(",")),
    )
    .unwrap();
    let ports = open(folder);
    let timed = |what: &str, act: &mut dyn FnMut()| {
        let started = Instant::now();
        act();
        assert!(
            started.elapsed() < LIMIT,
            "{what} took {:?}",
            started.elapsed()
        );
    };
    timed("a known id", &mut || {
        assert_eq!(ports.forward_port("id 23817", 0).unwrap(), 23_817);
    });
    let room: PortSet = "61025-65535".parse().unwrap();
    timed("a new id", &mut || {
        let request = ports.request("new").ports(room.clone());
        assert!(request.guard().unwrap().port() > 61_024);
    });
    timed("an exhausted pool", &mut || {
        let full: PortSet = "20000-30000".parse().unwrap();
        let error = ports.request("more").ports(full).assign().unwrap_err();
        says(&error, ErrorKind::Exhausted, &["10001"]);
    });
    timed("a release", &mut || {
        assert_eq!(ports.release("id 23817").unwrap(), Some(23_817));
    });
    assert_eq!(read(&path).unwrap().len(), 60_000);
}

/// Deletes leases over and over, as a cleaner of `/tmp` does, while a guard goes through all its states.
fn leases_deleted(folder: &Path) {
    let (ports, id) = (open(folder), api(folder));
    let mut guard = ports.guard(&id).unwrap();
    let port = guard.port();
    let leases = folder.join("ports.json.leases");
    let clean = || fs::remove_dir_all(&leases).unwrap();
    let others_stay_out = || {
        thread::scope(|scope| {
            for _ in 0..2 {
                let other = scope.spawn(|| {
                    let request = ports.request(&id).timeout(Duration::from_millis(100));
                    request.guard().map(|guard| guard.port())
                });
                let error = other.join().unwrap().expect_err("two hold one port");
                says(&error, ErrorKind::Occupied, &[&port.to_string()]);
            }
        });
    };
    clean();
    others_stay_out();
    guard.vacate().unwrap();
    clean();
    others_stay_out();
    // Its server comes and goes.
    drop(TcpListener::bind(guard.addr()).unwrap());
    others_stay_out();
    guard.rearm().unwrap();
    clean();
    others_stay_out();
    let listener = guard.take_listener().unwrap();
    clean();
    others_stay_out();
    drop(listener);
    guard.rearm().unwrap();
    clean();
    others_stay_out();
    guard.close().unwrap();
    assert_eq!(works(&ports, &id), port);
}

/// Whoever is in the middle of something then gets a port or an error that says so, and the next one gets a port.
fn folder_deleted(folder: &Path) {
    let store = folder.join("store");
    let ports = open(&store);
    let id = api(folder);
    let port = works(&ports, &id);
    fs::remove_dir_all(&store).unwrap();
    assert_eq!(
        works(&ports, &id),
        port,
        "the same port without anything to remember it by"
    );
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for nth in 0..4 {
            let (ports, id, over) = (&ports, format!("{id} {nth}"), &over);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    if let Err(error) = ports.guard(&id) {
                        says(&error, ErrorKind::Store, &["store"]);
                    }
                }
            });
        }
        for _ in 0..200 {
            thread::sleep(Duration::from_millis(2));
            // A file that is made at this moment keeps the folder there: the next turn has it.
            let _ = fs::remove_dir_all(&store);
        }
        over.store(true, Ordering::Relaxed);
    });
    assert_eq!(
        fs::metadata(&store).map_or(0o700, |found| found.mode() & 0o777),
        0o700
    );
    assert_eq!(works(&ports, &id), port);
}

/// Each with its own processes, users, network and paths, and one folder.
fn two_containers(folder: &Path) {
    let ports = open(folder);
    let id = api(folder);
    let elsewhere = tempfile::tempdir().unwrap();
    let container = || {
        let mut command = Command::new("unshare");
        command
            .args(["--user", "--map-root-user", "--net", "--pid", "--mount", "--fork"])
            .args(["--kill-child", "sh", "-c"])
            .arg("ip link set lo up; mount --bind \"$1\" \"$2\"; exec \"$0\" trust:hold \"$2/ports.json\" \"$3\"")
            .arg(std::env::current_exe().unwrap())
            .args([folder, elsewhere.path()])
            .arg(&id);
        Helper::start(&mut command)
    };
    let first = container();
    let port: u16 = first.said.parse().unwrap();
    assert_eq!(ports.forward_port(&id, 0).unwrap(), port, "one store");
    // Its port is free here, for its network is another; the lease says that it is held.
    drop(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap());
    is_refused(&ports, &id, ErrorKind::Busy, &["trust:hold", "process 1 "]);
    drop(first);
    // Killed from outside: its lease went with it.
    let started = Instant::now();
    let second = container();
    assert_eq!(second.said, port.to_string());
    assert!(started.elapsed() < Duration::from_secs(5));
    is_refused(&ports, &id, ErrorKind::Busy, &["trust:hold"]);
    second.end();
    assert_eq!(works(&ports, &id), port);
}
