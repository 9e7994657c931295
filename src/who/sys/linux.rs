//! Sockets and processes as Linux has them in `/proc`.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

use super::sock_diag::{self, Asked};
use crate::proc;
use crate::who::address::serves;
use crate::who::found::{Found, Opener, State};
use crate::who::listening::SocketOf;
use crate::who::occupant::Protocol;
use crate::who::process::Process;

pub(crate) use proc::{command_line, is_ending, socket_inodes, user};

/// The sockets that are wanted, by protocol and local address, with every process that has them open. Those that are only
/// bound are not among them: see [`bound`].
pub(crate) fn sockets(wanted: impl Fn(Protocol, SocketAddr) -> bool) -> Vec<Found> {
    // A table that cannot be read tells nothing.
    let tcp = proc::tcp_sockets().unwrap_or_default().into_iter();
    let udp = proc::udp_sockets().unwrap_or_default().into_iter();
    let found = (tcp.map(|socket| {
        let state = match socket.state {
            proc::State::Listens => State::Listens,
            proc::State::Lingers => State::Lingers(socket.peer),
            proc::State::Other => State::Connected(socket.peer),
        };
        found(Protocol::Tcp, state, &socket)
    }))
    .chain(udp.map(|socket| found(Protocol::Udp, State::Listens, &socket)))
    .filter(|(_, found)| wanted(found.protocol, found.local));
    with_openers(found.collect())
}

/// The TCP sockets that are bound to the port, and neither listen nor are connected.
pub(crate) fn bound(port: u16) -> Vec<Found> {
    let of = |is_ipv6| sock_diag::tcp(is_ipv6, port, Asked::Bound).unwrap_or_default();
    let found = (of(false).into_iter().chain(of(true)))
        .map(|socket| found(Protocol::Tcp, State::Bound, &socket));
    with_openers(found.collect())
}

/// The socket, behind its inode.
fn found(protocol: Protocol, state: State, socket: &proc::Socket) -> (u64, Found) {
    let found = Found {
        protocol,
        local: socket.local,
        state,
        // The kernel lists a connection that its process has closed without an inode, as root's.
        user: (socket.inode != 0).then_some(socket.user),
        openers: Vec::new(),
    };
    (socket.inode, found)
}

fn with_openers(mut sockets: Vec<(u64, Found)>) -> Vec<Found> {
    // The kernel gives its tables in parts, and a socket can be in two of them when others come and go meanwhile.
    let mut seen = HashSet::new();
    sockets.retain(|(inode, found)| seen.insert((*inode, found.local, found.state)));
    let inodes: HashSet<_> = sockets
        .iter()
        .map(|&(inode, _)| inode)
        .filter(|&inode| inode != 0)
        .collect();
    if !inodes.is_empty() {
        let mut openers: HashMap<u64, Vec<Opener>> = HashMap::new();
        for pid in proc::pids() {
            // A process that has ended meanwhile, or that this user may not look into, tells nothing.
            let open = proc::socket_inodes(pid).unwrap_or_default();
            for &inode in open.intersection(&inodes) {
                openers.entry(inode).or_default().push(opener(pid));
            }
        }
        for (inode, found) in &mut sockets {
            found.openers = openers.get(inode).cloned().unwrap_or_default();
            leave_out_heirs(&mut found.openers);
        }
    }
    sockets.into_iter().map(|(_, found)| found).collect()
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

/// The sockets that get the connections to `addr`; none when the system does not tell.
pub(crate) fn listening_sockets(addr: SocketAddr) -> Option<Vec<SocketOf>> {
    let listeners = |is_ipv6| sock_diag::tcp(is_ipv6, addr.port(), Asked::Listening);
    let Ok(mut sockets) = listeners(addr.is_ipv6()) else {
        return proc::tcp_listeners().ok().map(|sockets| at(addr, sockets));
    };
    // Only where no socket of IPv4 does, one of IPv6 gets the connections of both.
    if addr.is_ipv4() && at(addr, sockets.clone()).is_empty() {
        sockets.extend(listeners(true).unwrap_or_default());
    }
    Some(at(addr, sockets))
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
    fn a_socket_that_stands_in_two_parts_of_a_table_is_one() {
        let found = |port| Found {
            protocol: Protocol::Tcp,
            local: SocketAddr::from(([127, 0, 0, 1], port)),
            state: State::Listens,
            user: None,
            openers: Vec::new(),
        };
        let sockets = vec![(u64::MAX, found(1)), (u64::MAX, found(1)), (0, found(2))];
        assert_eq!(with_openers(sockets).len(), 2);
    }

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
