//! The server that is shared: this program, which keeps a journal of its starts.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use port_for::{PortFor, Request, ServerCommand, SharedServer};

use crate::support::child::{self, test_name};
use crate::support::{TempStore, told};

/// Short: a server is looked for as soon as its last user is gone.
pub const LINGER: Duration = Duration::from_millis(200);

/// The recipe of a server that appends its process id to the journal of the store.
pub fn recipe(store: &Path) -> ServerCommand {
    let child = child::command(test_name!(serve), store, "");
    let recipe = ServerCommand::new(child.get_program()).args(child.get_args());
    let recipe = child
        .get_envs()
        .fold(recipe, |recipe, (name, value)| match value {
            Some(value) => recipe.env(name, value),
            None => recipe.env_remove(name),
        });
    recipe
        .env("TEST_ADDR", "{addr}")
        .grace(Duration::from_secs(5))
}

#[test]
#[ignore = "a server for other tests"]
fn serve() {
    let Some((store, _)) = told() else { return };
    let addr: SocketAddr = std::env::var("TEST_ADDR").unwrap().parse().unwrap();
    let mut journal = File::options()
        .append(true)
        .create(true)
        .open(journal(&store))
        .unwrap();
    writeln!(journal, "{}", std::process::id()).unwrap();
    // Two at once would show.
    let one = File::create(store.with_extension("one")).unwrap();
    if fs2::FileExt::try_lock_exclusive(&one).is_err() {
        writeln!(journal, "two at once").unwrap();
    }
    let listener = TcpListener::bind(addr).unwrap();
    println!("serves at {addr}");
    for stream in listener.incoming() {
        // A client that has gone away is its own affair.
        let _ = stream.and_then(|mut stream| write!(stream, "{}", std::process::id()));
    }
}

pub fn journal(store: &Path) -> PathBuf {
    store.with_extension("journal")
}

/// The process ids of all the servers that were started.
pub fn starts(store: &Path) -> Vec<String> {
    let journal = fs::read_to_string(journal(store)).unwrap_or_default();
    journal.lines().map(str::to_owned).collect()
}

/// Who answers there.
pub fn ask(addr: SocketAddr) -> std::io::Result<u32> {
    let mut answer = String::new();
    TcpStream::connect(addr)?.read_to_string(&mut answer)?;
    answer.parse().map_err(std::io::Error::other)
}

/// An id that no other store has, and so a port that hardly any other is given.
pub fn id(store: &PortFor) -> String {
    format!("shared {}", store.path().display())
}

pub fn request(store: &PortFor) -> Request {
    store.request(&id(store)).linger(LINGER)
}

#[track_caller]
pub fn start(store: &TempStore) -> SharedServer {
    request(store).start_shared(&recipe(store.path())).unwrap()
}

/// The keeper of the store's one server, as its lock says.
#[track_caller]
pub fn keeper(store: &TempStore) -> u32 {
    let record = fs::read_to_string(place(store).join("keeper")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    u32::try_from(record["pid"].as_u64().unwrap()).unwrap()
}

/// The folder of the store's one server.
#[track_caller]
pub fn place(store: &TempStore) -> PathBuf {
    let [place] = &places(store)[..] else {
        panic!("there is one")
    };
    place.clone()
}

/// The folders of all of the store's servers.
pub fn places(store: &TempStore) -> Vec<PathBuf> {
    let folders = fs::read_dir(store.folder().join("ports.json.shared"));
    let folders = folders.into_iter().flatten().flatten();
    folders.map(|folder| folder.path()).collect()
}

pub fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

/// Whether there is such a process, and it has not ended.
pub fn lives(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with('Z'))
}
