//! Sockets and processes as the system's own programs list them: `lsof`, FreeBSD's `sockstat`, `ps`.
//!
//! They need no unsafe code, and no crates for each system. Where a program is missing, nothing is known.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::{Command, Stdio};

use crate::who::found::{Found, Opener, State};
use crate::who::occupant::Protocol;
use crate::who::process::Process;

/// The sockets that are wanted, by protocol and local address: UDP sockets, and TCP sockets that listen.
pub(crate) fn sockets(wanted: impl Fn(Protocol, SocketAddr) -> bool) -> Vec<Found> {
    let mut found = if cfg!(target_os = "freebsd") {
        by_sockstat(&output("sockstat", &["-46lq", "-P", "tcp,udp"]))
    } else {
        // A field on each line, which its manual has for other programs to read.
        by_lsof(&output("lsof", &["-nPw", "-i", "-FpctPnT"]))
    };
    found.retain(|found| wanted(found.protocol, found.local));
    found
}

/// All processes.
pub(crate) fn processes() -> Vec<Process> {
    by_ps(&output("ps", &["-A", "-o", "pid=,ppid=,pgid=,stat="]))
}

/// Whatever status it ends with: `lsof` fails when it has listed nothing. Empty when it is missing.
fn output(program: &str, words: &[&str]) -> String {
    let output = Command::new(program)
        .args(words)
        .stdin(Stdio::null())
        .output();
    output.map_or_else(
        |_| String::new(),
        |output| String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

/// A line begins with its field: `p` and `c` tell of a process; `t` (IPv4 or IPv6), `P` (the protocol), `n` (the name) and
/// `T` (the state of TCP) of a file that it has open.
fn by_lsof(listed: &str) -> Vec<Found> {
    let mut opener = Opener {
        pid: 0,
        parent: None,
        name: String::new(),
    };
    let (mut is_ipv6, mut protocol, mut local) = (false, None, None);
    let mut found = Vec::new();
    for line in listed.lines() {
        let Some((field, text)) = line.split_at_checked(1) else {
            continue;
        };
        match field {
            "p" => opener.pid = text.parse().unwrap_or(0),
            "c" => text.clone_into(&mut opener.name),
            "t" => is_ipv6 = text == "IPv6",
            "P" => protocol = protocol_of(text),
            "n" => local = addr(text.split("->").next().unwrap_or(text), is_ipv6),
            _ => {}
        }
        let is_complete = match protocol {
            Some(Protocol::Tcp) => line == "TST=LISTEN",
            Some(Protocol::Udp) => field == "n",
            None => false,
        };
        if is_complete && let Some((protocol, local)) = protocol.zip(local.take()) {
            found.push(listens(protocol, local, opener.clone()));
        }
    }
    found
}

/// Columns: user, command, process, descriptor, protocol, local and foreign address. Only a command may contain spaces.
fn by_sockstat(listed: &str) -> Vec<Found> {
    let line = |line: &str| {
        let columns: Vec<_> = line.split_ascii_whitespace().collect();
        let [_user, command @ .., pid, _fd, protocol, local, _foreign] = &columns[..] else {
            return None;
        };
        let local = addr(local, protocol.contains('6'))?;
        let opener = Opener {
            pid: pid.parse().ok()?,
            parent: None,
            name: command.join(" "),
        };
        Some(listens(protocol_of(protocol)?, local, opener))
    };
    listed.lines().filter_map(line).collect()
}

fn listens(protocol: Protocol, local: SocketAddr, opener: Opener) -> Found {
    Found {
        protocol,
        local,
        state: State::Listens,
        user: None,
        openers: vec![opener],
    }
}

fn protocol_of(name: &str) -> Option<Protocol> {
    match name.to_ascii_lowercase() {
        name if name.starts_with("tcp") => Some(Protocol::Tcp),
        name if name.starts_with("udp") => Some(Protocol::Udp),
        _ => None,
    }
}

/// `127.0.0.1:80`, `[::1]:80`, `::1:80`, `fe80::1%lo0:80`, or `*:80` for any address.
fn addr(text: &str, is_ipv6: bool) -> Option<SocketAddr> {
    let (ip, port) = text.trim().rsplit_once(':')?;
    let port = port.parse().ok()?;
    let ip = match ip.trim_matches(['[', ']']).split('%').next()? {
        "*" if is_ipv6 => Ipv6Addr::UNSPECIFIED.into(),
        "*" => Ipv4Addr::UNSPECIFIED.into(),
        ip => ip.parse::<IpAddr>().ok()?,
    };
    Some((ip, port).into())
}

/// On each line: process, parent, group, state.
fn by_ps(listed: &str) -> Vec<Process> {
    let line = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let mut number = || fields.next()?.parse().ok();
        let (pid, parent, group) = (number()?, number()?, number()?);
        Some(Process {
            pid,
            parent,
            group,
            dead: fields.next()?.starts_with('Z'),
        })
    };
    listed.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(found: Vec<Found>) -> Vec<(Protocol, String, u32, String)> {
        let mut told = Vec::new();
        for found in found {
            let [opener] = &found.openers[..] else {
                panic!("{found:?}")
            };
            let name = opener.name.clone();
            told.push((found.protocol, found.local.to_string(), opener.pid, name));
        }
        told
    }

    fn is(
        protocol: Protocol,
        local: &str,
        pid: u32,
        name: &str,
    ) -> (Protocol, String, u32, String) {
        (protocol, local.to_owned(), pid, name.to_owned())
    }

    #[test]
    fn lsof_lists_udp_sockets_and_listeners() {
        use Protocol::{Tcp, Udp};
        // In the format of lsof 4.95, which was looked at on Debian.
        let listed = "p27897\ncpython 3\nf3\ntIPv4\nPTCP\nn127.0.0.1:33159\nTST=LISTEN\nTQR=0\nTQS=0\nf4\ntIPv4\nPUDP\n\
                      n*:40815\nTQR=0\nTQS=0\nf5\ntIPv6\nPTCP\nn[::1]:56613\nTST=LISTEN\nf6\ntIPv6\nPTCP\n\
                      n[::1]:5->[::1]:6\nTST=ESTABLISHED\nf7\ntIPv6\nPUDP\nn*:57251\nf8\ntIPv4\nPUDP\n\
                      n127.0.0.1:38561->127.0.0.1:9\nf9\ntIPv4\nPUDP\nn*:*\np28\ncredis\nf3\ntIPv6\nPTCP\nn*:6379\nTST=LISTEN\n";
        assert_eq!(
            told(by_lsof(listed)),
            [
                is(Tcp, "127.0.0.1:33159", 27897, "python 3"),
                is(Udp, "0.0.0.0:40815", 27897, "python 3"),
                is(Tcp, "[::1]:56613", 27897, "python 3"),
                is(Udp, "[::]:57251", 27897, "python 3"),
                is(Udp, "127.0.0.1:38561", 27897, "python 3"),
                is(Tcp, "[::]:6379", 28, "redis"),
            ]
        );
        assert!(by_lsof("").is_empty());
    }

    #[test]
    fn sockstat_lists_udp_sockets_and_listeners() {
        use Protocol::{Tcp, Udp};
        // In sockstat's columns: addresses with and without brackets, a command with a space, a socket of the kernel.
        let listed = "root     sshd       1021  3   tcp6   *:22                  *:*\n\
                      root     sshd       1021  4   tcp4   *:22                  *:*\n\
                      www      my server  1234  6   tcp46  [::1]:8080            *:*\n\
                      ntpd     ntpd       812   23  udp6   fe80::1%lo0:123       *:*\n\
                      ntpd     ntpd       812   25  udp4   127.0.0.1:123         *:*\n\
                      ?        ?          ?     ?   tcp4   *:2049                *:*\n";
        assert_eq!(
            told(by_sockstat(listed)),
            [
                is(Tcp, "[::]:22", 1021, "sshd"),
                is(Tcp, "0.0.0.0:22", 1021, "sshd"),
                is(Tcp, "[::1]:8080", 1234, "my server"),
                is(Udp, "[fe80::1]:123", 812, "ntpd"),
                is(Udp, "127.0.0.1:123", 812, "ntpd"),
            ]
        );
    }

    #[test]
    fn ps_lists_processes_with_their_kin() {
        let listed = "    1     0     1 Ss\n   42     1    40 Z+\nno process\n";
        let process = |pid, parent, group, dead| Process {
            pid,
            parent,
            group,
            dead,
        };
        assert_eq!(
            by_ps(listed),
            [process(1, 0, 1, false), process(42, 1, 40, true)]
        );
    }
}
