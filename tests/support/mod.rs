//! What several test binaries need: stores of their own, a real HTTP server, and this program run again as a child.

#[allow(dead_code, reason = "not every test binary asks")]
pub mod wine;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;

use port_for::PortFor;
use tempfile::TempDir;

/// A store in a folder that goes when it does.
pub struct TempStore {
    folder: TempDir,
    ports: PortFor,
    /// An id that no other test has, and so a port that hardly any other is given.
    pub api: String,
}

impl TempStore {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ports = PortFor::open(folder.path().join("ports.json")).unwrap();
        let api = format!("api {}", folder.path().display());
        Self { folder, ports, api }
    }

    /// A store whose file has this text.
    pub fn with(text: impl AsRef<[u8]>) -> Self {
        let store = Self::new();
        std::fs::write(store.path(), text).unwrap();
        store
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The store as a process that has just started sees it.
    pub fn reopened(&self) -> PortFor {
        PortFor::open(self.path()).unwrap()
    }
}

impl std::ops::Deref for TempStore {
    type Target = PortFor;

    fn deref(&self) -> &PortFor {
        &self.ports
    }
}

/// An HTTP server that answers every request with one text, until it is dropped.
pub struct HttpServer {
    addr: SocketAddr,
    running: Option<(Arc<tiny_http::Server>, JoinHandle<()>)>,
}

impl HttpServer {
    pub fn on(listener: TcpListener, answer: &str) -> Self {
        let addr = listener.local_addr().unwrap();
        let server = Arc::new(tiny_http::Server::from_listener(listener, None).unwrap());
        let (inside, answer) = (Arc::clone(&server), answer.to_owned());
        let thread = std::thread::spawn(move || {
            for request in inside.incoming_requests() {
                // A client that has gone away is its own affair.
                let _ = request.respond(tiny_http::Response::from_string(&answer));
            }
        });
        Self {
            addr,
            running: Some((server, thread)),
        }
    }

    /// What a client gets.
    pub fn get(&self) -> String {
        get(self.addr)
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        if let Some((server, thread)) = self.running.take() {
            server.unblock();
            let ended = thread.join();
            assert!(
                ended.is_ok() || std::thread::panicking(),
                "the server panicked"
            );
        }
        // tiny_http closes its listener in a thread of its own, which nobody can join: ended is when nobody answers.
        while TcpStream::connect(self.addr).is_ok() {
            std::thread::yield_now();
        }
    }
}

/// The body of `GET /` there.
pub fn get(addr: SocketAddr) -> String {
    let response = minreq::get(format!("http://{addr}/"))
        .with_timeout(30)
        .send();
    response.unwrap().as_str().unwrap().to_owned()
}

/// What children are told by, beside their name: the store, and a value of the test's own.
const STORE: &str = "TEST_STORE";
const VALUE: &str = "TEST_VALUE";

/// In a child: the store and the value that [`ChildTest::start`] gave. None when somebody runs ignored tests by hand.
pub fn told() -> Option<(PathBuf, String)> {
    Some((std::env::var_os(STORE)?.into(), std::env::var(VALUE).ok()?))
}

/// In a child: one line to the parent.
pub fn report(line: impl std::fmt::Display) {
    // By hand, for the test harness keeps back what `println!` prints.
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "\n@{line}").unwrap();
    stdout.flush().unwrap();
}

/// In a child: waits for a word from the parent; returns when the parent has closed the pipe, too.
pub fn wait_for_parent() {
    std::io::stdin()
        .lock()
        .read_line(&mut String::new())
        .unwrap();
}

/// An ignored test of this program, run in a process of its own. Killed when dropped.
pub struct ChildTest {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

/// The command that runs the ignored test `name` of this program.
pub fn command(name: &str, store: &Path, value: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "--ignored",
            "--exact",
            name,
            "--nocapture",
            "--test-threads=1",
        ])
        .env(STORE, store)
        .env(VALUE, value);
    // A test of its own, not the one that nextest runs.
    for variable in ["NEXTEST_TEST_NAME", "NEXTEST_BINARY_ID", "NEXTEST_ATTEMPT"] {
        command.env_remove(variable);
    }
    command
}

impl ChildTest {
    pub fn start(name: &str, store: &Path, value: &str) -> Self {
        Self::run(&mut command(name, store, value))
    }

    pub fn run(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            stdin: child.stdin.take(),
            stdout: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn stderr(&mut self) -> BufReader<std::process::ChildStderr> {
        BufReader::new(self.child.stderr.take().expect("stderr is piped"))
    }

    /// The next line that the child reports.
    #[track_caller]
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            assert_ne!(
                self.stdout.read_line(&mut line).unwrap(),
                0,
                "the child ended"
            );
            if let Some(reported) = line.trim_end().strip_prefix('@') {
                return reported.to_owned();
            }
        }
    }

    /// Lets a child that waits for its parent go on.
    pub fn go_on(&mut self) {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        writeln!(stdin).unwrap();
    }

    /// Waits until the child has ended well.
    #[track_caller]
    pub fn join(mut self) {
        drop(self.stdin.take());
        std::io::copy(&mut self.stdout, &mut std::io::sink()).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "the child failed: {status}");
    }

    /// Waits until the child has ended, however.
    #[allow(dead_code, reason = "not every test binary lets its children fail")]
    pub fn ended(mut self) {
        drop(self.stdin.take());
        self.child.wait().unwrap();
    }

    /// Kills the child as the out-of-memory killer would, and waits until it is gone.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for ChildTest {
    fn drop(&mut self) {
        // Both fail when it has ended already, as it should have.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
