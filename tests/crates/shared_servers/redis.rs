//! One redis for all tests, and one of its sixteen databases for each test at a time.

#![cfg(unix)]

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use port_for::{OnBusy, PortFor, PortGuard, ServerCommand, SharedServer};
use shared_servers::are_installed;

fn redis() -> ServerCommand {
    ServerCommand::new("redis-server").args(["--port", "{port}", "--save", ""])
}

/// A number from 1 to 15 that no other test has, for as long as the guard lives: an id for each number, whose lease says
/// who has it. Its port is not used.
fn number() -> (u8, PortGuard) {
    let store = PortFor::shared().unwrap();
    let id = |number: u8| format!("tests/redis/database {number}");
    let free = (1..16).find_map(|number| {
        let at_once = store.request(&id(number)).on_busy(OnBusy::Fail);
        Some((number, at_once.guard().ok()?))
    });
    // All are taken: wait for one of them.
    free.unwrap_or_else(|| {
        let number = u8::try_from(std::process::id() % 15 + 1).unwrap();
        (number, store.guard(&id(number)).unwrap())
    })
}

/// A connection to one database, which is empty.
struct Database {
    stream: BufReader<TcpStream>,
    _number: PortGuard,
}

impl Database {
    fn of(addr: SocketAddr) -> Self {
        let (number, guard) = number();
        let mut database = Self {
            stream: BufReader::new(TcpStream::connect(addr).unwrap()),
            _number: guard,
        };
        assert_eq!(database.say(&format!("SELECT {number}")), "+OK");
        assert_eq!(database.say("FLUSHDB"), "+OK");
        database
    }

    fn say(&mut self, command: &str) -> String {
        let line = format!("{command}\r\n");
        self.stream.get_mut().write_all(line.as_bytes()).unwrap();
        let mut answer = String::new();
        self.stream.read_line(&mut answer).unwrap();
        answer.trim_end().to_owned()
    }
}

/// They would count together in one database.
fn counts(server: &SharedServer) {
    let mut database = Database::of(server.addr());
    for nth in 1..=100 {
        assert_eq!(database.say("INCR visits"), format!(":{nth}"));
    }
}

/// As `#[port_for("tests/redis", shared = redis())]` on a test, but only where it can be had.
fn shared() -> SharedServer {
    let request = PortFor::shared().unwrap().request("tests/redis");
    request.start_shared(&redis()).unwrap()
}

macro_rules! tests {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            if are_installed(&["redis-server"]) {
                counts(&shared());
            }
        }
    )*};
}

tests!(one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen);
