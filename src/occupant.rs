//! Who sits on a port without a lease, and whether it is our server.

use std::collections::HashSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::process;

use crate::holder::printable;

/// What kind of port it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Tcp,
    Udp,
}

impl Protocol {
    /// What somebody does who has the port, to stand after their name.
    pub(crate) fn listens_there(self) -> &'static str {
        match self {
            Self::Tcp => "listens there",
            Self::Udp => "has it for UDP",
        }
    }
}

/// The processes that listen on a port, as far as the system tells.
#[derive(Debug, Clone)]
pub(crate) struct Occupants(Vec<Occupant>);

#[derive(Debug, Clone)]
pub(crate) struct Occupant {
    pub(crate) pid: u32,
    pub(crate) command: String,
    pub(crate) user: Option<u32>,
}

/// A TCP socket that listens or a UDP socket, and a process that has it open.
#[derive(Debug)]
struct Found {
    protocol: Protocol,
    addr: SocketAddr,
    pid: u32,
    /// What the system calls it, if it does not tell its command line.
    name: String,
    /// Where it is known which sockets are the same, and who is whose child.
    #[cfg(target_os = "linux")]
    origin: linux::Origin,
}

impl Occupants {
    /// Looks for the processes that listen on the TCP port or have the UDP port, at any address.
    ///
    /// Empty when nobody does, or when this user may not look into the process that does.
    pub(crate) fn of(protocol: Protocol, port: u16) -> Self {
        Self::which(|found| found.protocol == protocol && found.addr.port() == port)
    }

    /// Looks for the processes that get the TCP connections to `addr`.
    pub(crate) fn at(addr: SocketAddr) -> Self {
        Self::which(|found| found.protocol == Protocol::Tcp && serves(found.addr, addr))
    }

    /// Looks for the processes that listen on each of the TCP ports, with one look at the system.
    #[cfg(feature = "cli")]
    pub(crate) fn of_each(ports: &[u16]) -> Vec<Self> {
        let mut found = sockets();
        Self::leave_out_heirs(&mut found);
        let on = |port: u16| {
            found
                .iter()
                .filter(move |found| found.protocol == Protocol::Tcp && found.addr.port() == port)
        };
        ports.iter().map(|&port| Self::new(on(port))).collect()
    }

    fn which(matches: impl Fn(&Found) -> bool) -> Self {
        let mut found = sockets();
        found.retain(matches);
        Self::leave_out_heirs(&mut found);
        Self::new(found.iter())
    }

    /// Of parents and children that share a socket, leaves the parents: who ends a server ends that. Where it is not known
    /// who shares what, leaves all.
    fn leave_out_heirs(found: &mut Vec<Found>) {
        #[cfg(target_os = "linux")]
        linux::leave_out_heirs(found);
        #[cfg(not(target_os = "linux"))]
        let _ = found;
    }

    fn new<'a>(found: impl Iterator<Item = &'a Found>) -> Self {
        let mut occupants: Vec<_> = found
            .map(|found| Occupant {
                pid: found.pid,
                command: command_line(found.pid).unwrap_or_else(|| found.name.clone()),
                user: owner(found.pid),
            })
            .collect();
        occupants.sort_unstable_by_key(|occupant| occupant.pid);
        occupants.dedup_by_key(|occupant| occupant.pid);
        Self(occupants)
    }

    #[cfg(feature = "cli")]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Occupant> {
        self.0.iter()
    }

    pub(crate) fn is_unknown(&self) -> bool {
        self.0.is_empty()
    }

    /// The TCP addresses that one of the processes listens on.
    pub(crate) fn addrs_of(family: &HashSet<u32>) -> Vec<SocketAddr> {
        let mut addrs: Vec<_> = sockets()
            .into_iter()
            .filter(|found| found.protocol == Protocol::Tcp && family.contains(&found.pid))
            .map(|found| found.addr)
            .collect();
        addrs.sort_unstable();
        addrs.dedup();
        addrs
    }
}

/// TCP sockets that listen, and UDP sockets, with every process that has them open.
#[cfg(target_os = "linux")]
fn sockets() -> Vec<Found> {
    linux::sockets()
}

/// TCP sockets that listen, and UDP sockets.
#[cfg(not(target_os = "linux"))]
fn sockets() -> Vec<Found> {
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
            Some(Found {
                protocol,
                addr: found.socket,
                pid: found.process.pid,
                name: found.process.name,
            })
        })
        .collect()
}

/// `process 4242 (`redis-server *:6379`, user 1000)`, or that it is not known: to stand behind "listens there: ".
impl fmt::Display for Occupants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("a process that the system does not name (another user's, or one that has just let go)");
        }
        for (nth, occupant) in self.0.iter().enumerate() {
            if nth > 0 {
                f.write_str(" and ")?;
            }
            let Occupant { pid, command, user } = occupant;
            write!(f, "process {pid} (`{}`", printable(command))?;
            if let Some(user) = user {
                write!(f, ", user {user}")?;
            }
            f.write_str(")")?;
            if *pid == process::id() {
                f.write_str(", which is this very process, perhaps with a listener taken from an earlier guard")?;
            }
        }
        Ok(())
    }
}

/// Who accepts connections at an address, seen from the processes of a server.
#[derive(Debug)]
pub(crate) enum Listening {
    Nobody,
    /// One of the family, and nobody else.
    Family,
    /// Somebody else, known by name.
    Stranger(Occupants),
    /// Somebody who is not of the family, and whom the system does not name.
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "others cannot tell that much")
    )]
    Unknown,
    /// Somebody who takes connections, and the system does not tell whether they are of the family.
    Untold,
}

/// Who listens at `addr`: one of the processes of `family`, which is asked for after the sockets were looked up, or
/// somebody else?
///
/// On Linux the sockets themselves are asked, and nobody is connected to. Elsewhere somebody has to accept a
/// connection first.
pub(crate) fn listening_at(addr: SocketAddr, family: impl FnOnce() -> HashSet<u32>) -> Listening {
    #[cfg(target_os = "linux")]
    if let Some(sockets) = linux::listening_sockets(addr) {
        return linux::whose(addr, &sockets, &family());
    }
    if !crate::ports::accepts(addr) {
        return Listening::Nobody;
    }
    let occupants = Occupants::at(addr);
    let family = family();
    if occupants.is_unknown() {
        Listening::Untold
    } else if (occupants.0.iter()).any(|occupant| family.contains(&occupant.pid)) {
        Listening::Family
    } else {
        Listening::Stranger(occupants)
    }
}

/// Whether a socket that listens there gets the connections to `addr`.
fn serves(socket: SocketAddr, addr: SocketAddr) -> bool {
    let ip = socket.ip().to_canonical();
    socket.port() == addr.port()
        && (ip == addr.ip()
            || ip.is_unspecified() && (socket.is_ipv6() || addr.is_ipv4())
            // A wildcard of ours is served by whoever serves any address of it.
            || addr.ip().is_unspecified() && is_same_family(ip, addr.ip()))
}

fn is_same_family(one: IpAddr, other: IpAddr) -> bool {
    one.is_ipv4() == other.is_ipv4()
}

/// Sockets as `/proc` has them.
///
/// Not by `listeners`, as elsewhere: of the processes that share a socket it names one, and that can be a child that was
/// forked a moment ago, on its way to another program.
#[cfg(target_os = "linux")]
mod linux {
    use std::collections::{HashMap, HashSet};
    use std::fs;
    use std::io;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

    use super::{Found, Listening, Occupants, Protocol, serves};

    /// What tells sockets and processes of one kin.
    #[derive(Debug)]
    pub(super) struct Origin {
        inode: u64,
        parent: Option<u32>,
    }

    /// The tables of TCP sockets; without IPv6 there is no second one.
    const TCP: [&str; 2] = ["/proc/self/net/tcp", "/proc/self/net/tcp6"];
    const UDP: [&str; 2] = ["/proc/self/net/udp", "/proc/self/net/udp6"];

    pub(super) fn sockets() -> Vec<Found> {
        let mut sockets = HashMap::new();
        for (protocol, tables) in [(Protocol::Tcp, TCP), (Protocol::Udp, UDP)] {
            for table in tables {
                // One that cannot be read tells nothing.
                let table = fs::read_to_string(table).unwrap_or_default();
                for (addr, inode) in table.lines().filter_map(|line| parse(line, protocol)) {
                    sockets.insert(inode, (protocol, addr));
                }
            }
        }
        let mut found = Vec::new();
        // Without `/proc` nobody is known.
        for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let pid = process
                .file_name()
                .to_str()
                .and_then(|pid| pid.parse().ok());
            // Of a process that has ended meanwhile, or is not for us to see, nothing is known.
            let Some((pid, inodes)) = pid.and_then(|pid| Some((pid, inodes_of(pid).ok()?))) else {
                continue;
            };
            for inode in inodes {
                if let Some(&(protocol, addr)) = sockets.get(&inode) {
                    let (name, parent) = name_and_parent(pid);
                    found.push(Found {
                        protocol,
                        addr,
                        pid,
                        name,
                        origin: Origin { inode, parent },
                    });
                }
            }
        }
        found
    }

    pub(super) fn leave_out_heirs(found: &mut Vec<Found>) {
        let owners: HashSet<_> = found
            .iter()
            .map(|found| (found.pid, found.origin.inode))
            .collect();
        found.retain(|found| {
            let Origin { inode, parent } = found.origin;
            !parent.is_some_and(|parent| owners.contains(&(parent, inode)))
        });
    }

    fn name_and_parent(pid: u32) -> (String, Option<u32>) {
        let stat = fs::read(format!("/proc/{pid}/stat")).unwrap_or_default();
        let stat = String::from_utf8_lossy(&stat);
        // `42 (name) S 41 …`, where the name may have parentheses of its own.
        let (name, rest) = stat.rsplit_once(") ").unwrap_or_default();
        let name = name.split_once('(').map_or("?", |(_, name)| name);
        let parent = rest
            .split(' ')
            .nth(1)
            .and_then(|parent| parent.parse().ok());
        (name.to_owned(), parent)
    }

    /// The inodes of the sockets that get the connections to `addr`; none when the system's table cannot be read.
    pub(super) fn listening_sockets(addr: SocketAddr) -> Option<HashSet<u64>> {
        let [v4, v6] = TCP;
        let v6 = fs::read_to_string(v6).unwrap_or_default();
        let v4 = fs::read_to_string(v4).ok()?;
        let sockets = v4
            .lines()
            .chain(v6.lines())
            .filter_map(|line| parse(line, Protocol::Tcp));
        let ours = sockets.filter(|&(socket, _)| serves(socket, addr));
        Some(ours.map(|(_, inode)| inode).collect())
    }

    /// Address and inode of a line about a socket that listens, or one for UDP.
    fn parse(line: &str, protocol: Protocol) -> Option<(SocketAddr, u64)> {
        const LISTEN: &str = "0A";
        let mut fields = line.split_ascii_whitespace();
        let (ip, port) = fields.nth(1)?.split_once(':')?;
        let state = fields.nth(1)?;
        if protocol == Protocol::Tcp && state != LISTEN {
            return None;
        }
        let inode = fields.nth(5)?.parse().ok()?;
        let port = u16::from_str_radix(port, 16).ok()?;
        // Words of four bytes, each printed as the number that it is to this machine.
        let word = |at: usize| {
            let word = u32::from_str_radix(ip.get(at..at + 8)?, 16).ok()?;
            Some(word.to_ne_bytes())
        };
        let ip: IpAddr = if ip.len() == 8 {
            Ipv4Addr::from(word(0)?).into()
        } else {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let bytes: [u8; 16] = words.as_flattened().try_into().ok()?;
            Ipv6Addr::from(bytes).into()
        };
        Some((SocketAddr::new(ip, port), inode))
    }

    /// Whose sockets they are: the family's if each of them is open in one of its processes.
    pub(super) fn whose(
        addr: SocketAddr,
        sockets: &HashSet<u64>,
        family: &HashSet<u32>,
    ) -> Listening {
        if sockets.is_empty() {
            return Listening::Nobody;
        }
        let mut others = sockets.clone();
        let mut all_seen = true;
        for &pid in family {
            all_seen &= remove_sockets_of(pid, &mut others);
        }
        if others.is_empty() {
            return accepted(addr, Listening::Family);
        }
        if !all_seen {
            return accepted(addr, Listening::Untold);
        }
        let occupants = Occupants::at(addr);
        if occupants.is_unknown() || occupants.are_in(family) {
            // Another user's, or one that has just let go: perhaps it is gone the next time.
            Listening::Unknown
        } else {
            Listening::Stranger(occupants)
        }
    }

    /// What listens may not take connections to the address all the same: a socket for IPv6 alone, over IPv4.
    fn accepted(addr: SocketAddr, listening: Listening) -> Listening {
        if crate::ports::accepts(addr) {
            listening
        } else {
            Listening::Nobody
        }
    }

    /// Removes the sockets that the process has open; false when that is not for us to see.
    fn remove_sockets_of(pid: u32, sockets: &mut HashSet<u64>) -> bool {
        match inodes_of(pid) {
            Ok(inodes) => {
                for inode in inodes {
                    sockets.remove(&inode);
                }
                true
            }
            // It ended meanwhile.
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }

    /// The sockets that a process has open.
    fn inodes_of(pid: u32) -> io::Result<HashSet<u64>> {
        let open = fs::read_dir(format!("/proc/{pid}/fd"))?;
        let inode = |file: fs::DirEntry| {
            let target = fs::read_link(file.path()).ok()?;
            let inode = target.to_str()?.strip_prefix("socket:[")?;
            inode.strip_suffix(']')?.parse().ok()
        };
        Ok(open.flatten().filter_map(inode).collect())
    }

    impl Occupants {
        fn are_in(&self, family: &HashSet<u32>) -> bool {
            self.0.iter().all(|occupant| family.contains(&occupant.pid))
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use std::net::TcpListener;

        #[test]
        fn a_listener_of_this_process_is_found_by_its_address() {
            for addr in ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"] {
                let Ok(listener) = TcpListener::bind(addr) else {
                    continue; // a machine without IPv6
                };
                let mut addr = listener.local_addr().unwrap();
                let sockets = listening_sockets(addr).unwrap();
                assert_eq!(sockets.len(), 1, "{addr}");
                let family = HashSet::from([std::process::id()]);
                if addr.ip().is_unspecified() {
                    let loopback = match addr {
                        SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                        SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
                    };
                    addr.set_ip(loopback);
                }
                assert!(
                    matches!(whose(addr, &sockets, &family), Listening::Family),
                    "{addr}"
                );
                assert!(
                    matches!(
                        whose(addr, &sockets, &HashSet::from([1])),
                        Listening::Stranger(_) | Listening::Unknown
                    ),
                    "{addr}"
                );
            }
        }

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

        #[test]
        fn a_line_about_a_connection_is_passed_over() {
            let line = "1: 0100007F:A000 0100007F:1F90 01 00000000:00000000 00:00000000 00000000 0 0 4242 1";
            assert_eq!(parse(line, Protocol::Tcp), None);
            assert_eq!(
                parse("sl local_address rem_address st", Protocol::Udp),
                None
            );
        }
    }
}

#[cfg(target_os = "linux")]
fn command_line(pid: u32) -> Option<String> {
    let words = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let words = String::from_utf8_lossy(&words);
    let line = words.trim_end_matches('\0').replace('\0', " ");
    // A kernel thread, or a process that is just ending, has none.
    (!line.is_empty()).then(|| line.chars().take(300).collect())
}

#[cfg(not(target_os = "linux"))]
fn command_line(_pid: u32) -> Option<String> {
    None
}

#[cfg(target_os = "linux")]
fn owner(pid: u32) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    let found = std::fs::metadata(format!("/proc/{pid}")).ok()?;
    Some(found.uid())
}

#[cfg(not(target_os = "linux"))]
fn owner(_pid: u32) -> Option<u32> {
    None
}
