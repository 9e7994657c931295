//! Whether a condition of a server's readiness is met: one look, without waiting.

use std::io;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use super::Server;
use super::http::{Answer, Request};
use super::lines::Lines;
use super::ready::Condition;
use crate::who::{self, Listening, Occupants};

/// What a look found.
#[derive(Debug)]
pub(super) enum Look {
    Ready,
    /// Not yet, and what is in the way.
    NotYet(String),
    /// Another process listens.
    Met(Occupants),
}

/// A condition, and what is on its way to find out whether it is met.
#[derive(Debug)]
pub(super) struct Probe {
    condition: Condition,
    request: Option<Request>,
    command: Option<Running>,
    lines: Lines,
    /// The last that was found out.
    last: Option<String>,
}

/// A command that is killed once nothing waits for it any more.
#[derive(Debug)]
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended, as a rule.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Probe {
    pub(super) fn new(condition: Condition, from: u64) -> Self {
        Self {
            condition,
            request: None,
            command: None,
            lines: Lines::from(from),
            last: None,
        }
    }

    pub(super) fn look(&mut self, server: &Server) -> Look {
        match &self.condition {
            Condition::Listening => listening(server),
            Condition::ListeningUdp => bound(server),
            Condition::Http { .. } => self.http(server),
            Condition::Line(text) => {
                let lines = match self.lines.next(&server.output) {
                    Ok(lines) => lines,
                    Err(error) => {
                        return Look::NotYet(format!("its output cannot be read: {error}"));
                    }
                };
                let has = |line: &String| line.contains(text.as_str());
                if lines.iter().any(has) || has(&self.lines.begun()) {
                    Look::Ready
                } else {
                    Look::NotYet(format!("no line that it printed contains {text:?}"))
                }
            }
            Condition::UnixSocket(path) => unix_socket(path),
            Condition::Command(words) => {
                let words = words.clone();
                self.command(server, &words)
            }
            Condition::Notify => notify(server),
        }
    }

    /// Before, a stranger is not asked; and after, none may have come and have answered.
    fn http(&mut self, server: &Server) -> Look {
        let Condition::Http {
            path,
            status,
            headers,
        } = &self.condition
        else {
            unreachable!("it is asked by HTTP")
        };
        let shown = format!("GET http://{}{path}", server.addr);
        if self.request.is_none() {
            match listening(server) {
                Look::Ready => {}
                other => return other,
            }
            match Request::begin(server.addr, path, headers) {
                Ok(request) => self.request = Some(request),
                Err(error) => return Look::NotYet(format!("{shown}: {error}")),
            }
        }
        let Some(request) = &mut self.request else {
            unreachable!("it was begun")
        };
        let last = match request.go_on() {
            Ok(Answer::NotYet) => {
                let last = self
                    .last
                    .clone()
                    .unwrap_or_else(|| "no answer yet".to_owned());
                return Look::NotYet(format!("{shown}: {last}"));
            }
            Ok(Answer::Status(answer)) if status.contains(&answer) => {
                self.request = None;
                return listening(server);
            }
            Ok(Answer::Status(answer)) => format!(
                "answered with status {answer}, not {} to {}",
                status.start(),
                status.end()
            ),
            Err(error) => error.to_string(),
        };
        self.request = None;
        let look = Look::NotYet(format!("{shown}: {last}"));
        self.last = Some(last);
        look
    }

    fn command(&mut self, server: &Server, words: &[std::ffi::OsString]) -> Look {
        let shown = words[0].to_string_lossy().into_owned();
        let failed = |error: &dyn std::fmt::Display| {
            Look::NotYet(format!("`{shown}` cannot be run: {error}"))
        };
        if self.command.is_none() {
            let command = if let Some(recipe) = &server.recipe {
                recipe.words(words)
            } else {
                let mut command = Command::new(&words[0]);
                command.args(&words[1..]);
                Ok(command)
            };
            let started = command.map_err(io::Error::other).and_then(|mut command| {
                let null = Stdio::null;
                command.stdin(null()).stdout(null()).stderr(null()).spawn()
            });
            match started {
                Ok(child) => self.command = Some(Running(child)),
                Err(error) => return failed(&error),
            }
        }
        let Some(Running(child)) = &mut self.command else {
            unreachable!("it was started")
        };
        match child.try_wait() {
            Ok(None) => {
                let last = self.last.as_deref().unwrap_or("has not ended yet");
                Look::NotYet(format!("`{shown}` {last}"))
            }
            Ok(Some(status)) => {
                self.command = None;
                if status.success() {
                    return Look::Ready;
                }
                let last = format!("said no ({status})");
                let look = Look::NotYet(format!("`{shown}` {last}"));
                self.last = Some(last);
                look
            }
            Err(error) => {
                self.command = None;
                failed(&error)
            }
        }
    }
}

/// Whether the server listens at its address, and no other process.
pub(super) fn listening(server: &Server) -> Look {
    let addr = server.addr;
    match who::listening_at(addr, || server.process.members()) {
        Listening::Family | Listening::Untold => Look::Ready,
        Listening::Nothing => Look::NotYet(format!("nothing listens on {addr}")),
        Listening::Unknown => Look::NotYet(unnamed(addr)),
        Listening::Stranger(occupants) => Look::Met(occupants),
    }
}

fn bound(server: &Server) -> Look {
    let addr = server.addr;
    match who::bound_at(addr, || server.process.members()) {
        Listening::Family | Listening::Untold => Look::Ready,
        Listening::Nothing => Look::NotYet(format!("nothing has the UDP port {addr}")),
        Listening::Unknown => Look::NotYet(format!(
            "a process that is not of this server has the UDP port {addr}, and the system does not name it"
        )),
        Listening::Stranger(occupants) => Look::Met(occupants),
    }
}

pub(super) fn unnamed(addr: SocketAddr) -> String {
    format!(
        "a process that is not of this server listens on {addr}, and the system does not name it"
    )
}

#[cfg(unix)]
fn unix_socket(path: &std::path::Path) -> Look {
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Look::Ready,
        Err(error) => Look::NotYet(format!("the socket `{}`: {error}", path.display())),
    }
}

#[cfg(not(unix))]
fn unix_socket(_path: &std::path::Path) -> Look {
    Look::NotYet("this system has no Unix sockets".to_owned())
}

#[cfg(target_os = "linux")]
fn notify(server: &Server) -> Look {
    let mut message = [0; 4096];
    let socket = server
        .recipe
        .as_ref()
        .and_then(|recipe| recipe.notify.as_ref());
    let Some(socket) = socket else {
        return Look::NotYet(
            "it has no `NOTIFY_SOCKET`; it was started without `Ready::notify`".to_owned(),
        );
    };
    while let Ok(length) = socket.recv(&mut message) {
        if message[..length]
            .split(|&byte| byte == b'\n')
            .any(|line| line == b"READY=1")
        {
            return Look::Ready;
        }
    }
    Look::NotYet("it has not said `READY=1` to `NOTIFY_SOCKET`".to_owned())
}

#[cfg(not(target_os = "linux"))]
fn notify(_server: &Server) -> Look {
    Look::NotYet("`Ready::notify` is for Linux".to_owned())
}
