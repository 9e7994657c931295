//! Sockets and processes as Linux has them in `/proc`.
//!
//! Not by `listeners`, as elsewhere: of the processes that share a socket it names one, and that can be a child that was
//! forked a moment ago, on its way to another program.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

use crate::proc;
use crate::who::address::serves;
use crate::who::listening::SocketOf;
use crate::who::occupant::{Found, Origin, Protocol};
use crate::who::process::Process;

pub(crate) use proc::{command_line, is_ending, socket_inodes, user};

/// TCP sockets that listen, and UDP sockets, with every process that has them open.
pub(crate) fn sockets() -> Vec<Found> {
    let mut sockets = HashMap::new();
    // A table that cannot be read tells nothing.
    for socket in proc::tcp_sockets().unwrap_or_default() {
        if socket.listens {
            sockets.insert(socket.inode, (Protocol::Tcp, socket.local));
        }
    }
    for socket in proc::udp_sockets().unwrap_or_default() {
        sockets.insert(socket.inode, (Protocol::Udp, socket.local));
    }
    let mut found = Vec::new();
    for pid in proc::pids() {
        // A process that has ended meanwhile, or that this user may not look into, tells nothing.
        let Ok(inodes) = proc::socket_inodes(pid) else {
            continue;
        };
        for inode in inodes {
            if let Some(&(protocol, addr)) = sockets.get(&inode) {
                let process = proc::process(pid);
                found.push(Found {
                    protocol,
                    addr,
                    pid,
                    origin: Origin {
                        inode,
                        parent: process.as_ref().map(|process| process.parent),
                    },
                    name: process.map_or_else(|| "?".to_owned(), |process| process.name),
                });
            }
        }
    }
    found
}

/// Of parents and children that share a socket, leaves the parents: their end is the end of the server.
pub(crate) fn leave_out_heirs(found: &mut Vec<Found>) {
    let owners: HashSet<_> = found
        .iter()
        .map(|found| (found.pid, found.origin.inode))
        .collect();
    found.retain(|found| {
        let Origin { inode, parent } = found.origin;
        !parent.is_some_and(|parent| owners.contains(&(parent, inode)))
    });
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
        let addr = SocketAddr::from(([127, 0, 0, 1], 80));
        let found = |pid, inode, parent| Found {
            protocol: Protocol::Tcp,
            addr,
            pid,
            name: String::new(),
            origin: Origin {
                inode,
                parent: Some(parent),
            },
        };
        // A master and its worker, an orphan of another master, and the master's child with a socket of its own.
        let mut all = vec![
            found(7, 1, 1),
            found(8, 1, 7),
            found(9, 2, 1),
            found(10, 3, 7),
        ];
        leave_out_heirs(&mut all);
        let pids: Vec<_> = all.iter().map(|found| found.pid).collect();
        assert_eq!(pids, [7, 9, 10]);
    }
}
