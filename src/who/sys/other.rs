//! Sockets by `listeners`, and on Unix processes by `ps`.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;

use crate::who::found::{Found, Opener, State};
use crate::who::listening::SocketOf;
use crate::who::occupant::Protocol;
#[cfg(unix)]
use crate::who::process::Process;

/// The sockets that are wanted, by protocol and local address: UDP sockets, and TCP sockets that listen.
pub(crate) fn sockets(wanted: impl Fn(Protocol, SocketAddr) -> bool) -> Vec<Found> {
    // An error is what an unknown system gives: not known, and said so.
    (listeners::get_all().unwrap_or_default().into_iter())
        .filter_map(|found| {
            let protocol = match found.protocol {
                listeners::Protocol::TCP if found.state == listeners::SocketState::Listen => {
                    Protocol::Tcp
                }
                listeners::Protocol::TCP => return None,
                listeners::Protocol::UDP => Protocol::Udp,
            };
            wanted(protocol, found.socket).then(|| Found {
                protocol,
                local: found.socket,
                state: State::Listens,
                user: None,
                openers: vec![Opener {
                    pid: found.process.pid,
                    name: found.process.name,
                }],
            })
        })
        .collect()
}

/// Not known.
pub(crate) fn bound(_port: u16) -> Vec<Found> {
    Vec::new()
}

/// Not known.
pub(crate) fn listening_sockets(_addr: SocketAddr) -> Option<Vec<SocketOf>> {
    None
}

/// Not known.
pub(crate) fn bound_sockets(_addr: SocketAddr) -> Option<Vec<SocketOf>> {
    None
}

/// Not known.
pub(crate) fn is_ending(_pid: u32) -> bool {
    false
}

/// Not known.
pub(crate) fn socket_inodes(_pid: u32) -> io::Result<HashSet<u64>> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn command_line(_pid: u32) -> Option<String> {
    None
}

pub(crate) fn user(_pid: u32) -> Option<u32> {
    None
}

/// All processes, by the one way to the system's table that needs no unsafe code. Without `ps`, none is known.
#[cfg(unix)]
pub(crate) fn processes() -> Vec<Process> {
    let listed = std::process::Command::new("ps")
        .args(["-A", "-o", "pid=,ppid=,pgid=,stat="])
        .stdin(std::process::Stdio::null())
        .output();
    listed.map_or_else(
        |_| Vec::new(),
        |listed| {
            let text = String::from_utf8_lossy(&listed.stdout);
            text.lines().filter_map(parse).collect()
        },
    )
}

/// A line of `ps`: process, parent, group, state.
#[cfg(unix)]
fn parse(line: &str) -> Option<Process> {
    let mut fields = line.split_ascii_whitespace();
    let mut number = || fields.next()?.parse().ok();
    let (pid, parent, group) = (number()?, number()?, number()?);
    Some(Process {
        pid,
        parent,
        group,
        dead: fields.next()?.starts_with('Z'),
    })
}
