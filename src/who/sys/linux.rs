//! Sockets and processes as Linux has them in `/proc`.
//!
//! Not by `listeners`, as elsewhere: of the processes that share a socket it names one, and that can be a child that was
//! forked a moment ago, on its way to another program.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

use crate::proc;
use crate::who::address::serves;
use crate::who::found::{Found, Opener, State};
use crate::who::listening::SocketOf;
use crate::who::occupant::Protocol;
use crate::who::process::Process;

pub(crate) use proc::{command_line, is_ending, socket_inodes, user};

/// The sockets that are wanted, by protocol and local address, with every process that has them open. Those that are only
/// bound, the system does not list.
pub(crate) fn sockets(wanted: impl Fn(Protocol, SocketAddr) -> bool) -> Vec<Found> {
    // A table that cannot be read tells nothing.
    let tcp = proc::tcp_sockets().unwrap_or_default().into_iter();
    let udp = proc::udp_sockets().unwrap_or_default().into_iter();
    let all = (tcp.map(|socket| (Protocol::Tcp, socket)))
        .chain(udp.map(|socket| (Protocol::Udp, socket)));
    let sockets: Vec<_> = all
        .filter(|(protocol, socket)| wanted(*protocol, socket.local))
        .collect();
    let mut openers: HashMap<u64, Vec<Opener>> = HashMap::new();
    // A connection that its process has closed has no inode.
    if sockets.iter().any(|(_, socket)| socket.inode != 0) {
        let inodes: HashSet<_> = sockets.iter().map(|(_, socket)| socket.inode).collect();
        for pid in proc::pids() {
            // A process that has ended meanwhile, or that this user may not look into, tells nothing.
            let open = proc::socket_inodes(pid).unwrap_or_default();
            for &inode in open.intersection(&inodes) {
                openers.entry(inode).or_default().push(opener(pid));
            }
        }
        openers.values_mut().for_each(leave_out_heirs);
    }
    let found = |(protocol, socket): (Protocol, proc::Socket)| Found {
        protocol,
        local: socket.local,
        state: match (protocol, socket.state) {
            (Protocol::Udp, _) | (_, proc::State::Listens) => State::Listens,
            (_, proc::State::Lingers) => State::Lingers(socket.peer),
            (_, proc::State::Other) => State::Connected(socket.peer),
        },
        user: (socket.inode != 0).then_some(socket.user),
        openers: openers.get(&socket.inode).cloned().unwrap_or_default(),
    };
    sockets.into_iter().map(found).collect()
}

fn opener(pid: u32) -> Opener {
    let process = proc::process(pid);
    Opener {
        pid,
        parent: process.as_ref().map(|process| process.parent),
        name: process.map_or_else(|| "?".to_owned(), |process| process.name),
    }
}

/// Of parents and children that share a socket, leaves the parents: their end is the end of the server.
fn leave_out_heirs(openers: &mut Vec<Opener>) {
    let owners: HashSet<_> = openers.iter().map(|opener| opener.pid).collect();
    openers.retain(|opener| !opener.parent.is_some_and(|parent| owners.contains(&parent)));
}

/// The sockets that get the connections to `addr`; none when the system's table cannot be read.
pub(crate) fn listening_sockets(addr: SocketAddr) -> Option<Vec<SocketOf>> {
    proc::tcp_listeners().ok().map(|sockets| at(addr, sockets))
}

/// The UDP sockets that get what is sent to `addr`; none when the system's table cannot be read.
pub(crate) fn bound_sockets(addr: SocketAddr) -> Option<Vec<SocketOf>> {
    proc::udp_sockets().ok().map(|sockets| at(addr, sockets))
}

fn at(addr: SocketAddr, sockets: Vec<proc::Socket>) -> Vec<SocketOf> {
    let ours = sockets
        .into_iter()
        .filter(|socket| serves(socket.local, addr));
    ours.map(|socket| SocketOf {
        inode: socket.inode,
        user: socket.user,
    })
    .collect()
}

/// All processes.
pub(crate) fn processes() -> Vec<Process> {
    proc::pids()
        .filter_map(proc::process)
        .map(|process| Process {
            pid: process.pid,
            parent: process.parent,
            group: process.group,
            dead: process.dead,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_those_who_share_a_socket_the_parents_are_named() {
        let opener = |pid, parent| Opener {
            pid,
            parent: Some(parent),
            name: String::new(),
        };
        // A master and its worker, and an orphan of another master.
        let mut all = vec![opener(7, 1), opener(8, 7), opener(9, 1)];
        leave_out_heirs(&mut all);
        let pids: Vec<_> = all.iter().map(|opener| opener.pid).collect();
        assert_eq!(pids, [7, 9]);
    }
}
