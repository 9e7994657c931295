//! Who sits on a port without a lease, and whether it is our server.

use std::collections::HashSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::process;

use listeners::Listener;

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

impl Occupants {
    /// Looks for the processes that listen on the TCP port or have the UDP port, at any address.
    ///
    /// Empty when nobody does, or when this user may not look into the process that does.
    pub(crate) fn of(protocol: Protocol, port: u16) -> Self {
        let found = listening().into_iter();
        Self::new(
            found.filter(|found| found.socket.port() == port && protocol_of(found) == protocol),
        )
    }

    /// Looks for the processes that get the TCP connections to `addr`.
    pub(crate) fn at(addr: SocketAddr) -> Self {
        let found = listening().into_iter();
        Self::new(
            found.filter(|found| protocol_of(found) == Protocol::Tcp && serves(found.socket, addr)),
        )
    }

    pub(crate) fn is_unknown(&self) -> bool {
        self.0.is_empty()
    }

    /// The TCP addresses that one of the processes listens on.
    pub(crate) fn addrs_of(family: &HashSet<u32>) -> Vec<SocketAddr> {
        let mut addrs: Vec<_> = listening()
            .into_iter()
            .filter(|found| protocol_of(found) == Protocol::Tcp)
            .filter(|found| family.contains(&found.process.pid))
            .map(|found| found.socket)
            .collect();
        addrs.sort_unstable();
        addrs.dedup();
        addrs
    }

    /// The same for several TCP ports, with one look at the system.
    #[cfg(feature = "cli")]
    pub(crate) fn of_each(ports: &[u16]) -> Vec<Self> {
        let listening = listening();
        let tcp = |port: u16| {
            let found = listening.iter().cloned();
            found.filter(move |found| {
                found.socket.port() == port && protocol_of(found) == Protocol::Tcp
            })
        };
        ports.iter().map(|&port| Self::new(tcp(port))).collect()
    }

    fn new(found: impl Iterator<Item = Listener>) -> Self {
        let mut occupants: Vec<_> = found
            .map(|found| Occupant {
                pid: found.process.pid,
                command: command_line(found.process.pid).unwrap_or(found.process.name),
                user: owner(found.process.pid),
            })
            .collect();
        occupants.sort_by_key(|occupant| occupant.pid);
        occupants.dedup_by_key(|occupant| occupant.pid);
        Self(occupants)
    }

    #[cfg(feature = "cli")]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Occupant> {
        self.0.iter()
    }
}

/// TCP sockets that listen, and UDP sockets.
fn listening() -> Vec<Listener> {
    // An error is what an unknown system or a locked-down `/proc` gives: not known, and said so.
    let mut found: Vec<_> = (listeners::get_all().unwrap_or_default().into_iter())
        .filter(|found| {
            found.protocol == listeners::Protocol::UDP
                || found.state == listeners::SocketState::Listen
        })
        .collect();
    found.sort_by_key(|found| (found.process.pid, found.socket));
    found
}

fn protocol_of(found: &Listener) -> Protocol {
    match found.protocol {
        listeners::Protocol::TCP => Protocol::Tcp,
        listeners::Protocol::UDP => Protocol::Udp,
    }
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

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::HashSet;
    use std::fs;
    use std::io;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

    use super::{Listening, Occupants, serves};

    /// The inodes of the sockets that get the connections to `addr`; none when the system's table cannot be read.
    pub(super) fn listening_sockets(addr: SocketAddr) -> Option<HashSet<u64>> {
        let mut sockets = HashSet::new();
        // Without IPv6 there is no second table.
        let v6 = fs::read_to_string("/proc/self/net/tcp6").unwrap_or_default();
        let v4 = fs::read_to_string("/proc/self/net/tcp").ok()?;
        for line in v4.lines().chain(v6.lines()) {
            if let Some((socket, inode)) = parse(line)
                && serves(socket, addr)
            {
                sockets.insert(inode);
            }
        }
        Some(sockets)
    }

    /// Address and inode of a line about a socket that listens.
    fn parse(line: &str) -> Option<(SocketAddr, u64)> {
        const LISTEN: &str = "0A";
        let mut fields = line.split_ascii_whitespace();
        let (ip, port) = fields.nth(1)?.split_once(':')?;
        if fields.nth(1)? != LISTEN {
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
        let open = match fs::read_dir(format!("/proc/{pid}/fd")) {
            Ok(open) => open,
            // It ended meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return true,
            Err(_) => return false,
        };
        for file in open.flatten() {
            let Ok(target) = fs::read_link(file.path()) else {
                continue;
            };
            let inode = target
                .to_str()
                .and_then(|target| target.strip_prefix("socket:[")?.strip_suffix(']'))
                .and_then(|inode| inode.parse().ok());
            if let Some(inode) = inode {
                sockets.remove(&inode);
            }
        }
        true
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
        fn a_line_about_a_connection_is_passed_over() {
            let line = "1: 0100007F:A000 0100007F:1F90 01 00000000:00000000 00:00000000 00000000 0 0 4242 1";
            assert_eq!(parse(line), None);
            assert_eq!(parse("sl local_address rem_address st"), None);
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
