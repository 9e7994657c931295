//! What Linux says in `/proc`, as plain data. The only file that parses it.
//!
//! Where `/proc` is missing or hidden, nothing is known: lists are empty, and what was asked for is none.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A line of a table of sockets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Socket {
    pub(crate) local: SocketAddr,
    pub(crate) peer: SocketAddr,
    pub(crate) state: State,
    pub(crate) inode: u64,
    /// The number of the user who made it.
    pub(crate) user: u32,
}

/// What a socket does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// A TCP socket that listens. A UDP socket does not.
    Listens,
    /// A connection that both ends have closed: `TIME_WAIT`.
    Lingers,
    Other,
}

/// The TCP sockets of the calling thread's network, other than those that are only bound.
///
/// # Errors
///
/// When the table of IPv4 cannot be read. A machine without IPv6 has no second one.
pub(crate) fn tcp_sockets() -> io::Result<Vec<Socket>> {
    sockets("tcp")
}

/// The TCP sockets of the calling thread's network that listen. Cheap however many connections there are: the kernel lists
/// what listens first, so the rest is not even read.
///
/// # Errors
///
/// As [`tcp_sockets`].
pub(crate) fn tcp_listeners() -> io::Result<Vec<Socket>> {
    use std::io::BufRead;
    let mut listeners = Vec::new();
    for (table, is_needed) in [("tcp", true), ("tcp6", false)] {
        let file = match fs::File::open(format!("/proc/thread-self/net/{table}")) {
            Ok(file) => file,
            Err(_) if !is_needed => continue,
            Err(error) => return Err(error),
        };
        // Behind the head.
        for line in io::BufReader::with_capacity(4096, file).lines().skip(1) {
            match parse_socket(&line?) {
                Some(socket) if socket.state == State::Listens => listeners.push(socket),
                _ => break,
            }
        }
    }
    Ok(listeners)
}

/// The UDP sockets of the calling thread's network.
///
/// # Errors
///
/// As [`tcp_sockets`].
pub(crate) fn udp_sockets() -> io::Result<Vec<Socket>> {
    sockets("udp")
}

fn sockets(protocol: &str) -> io::Result<Vec<Socket>> {
    // A thread can be in another network namespace than the rest of its process.
    let table = |name: &str| fs::read_to_string(format!("/proc/thread-self/net/{name}"));
    let v4 = table(protocol)?;
    let v6 = table(&format!("{protocol}6")).unwrap_or_default();
    Ok((v4.lines().chain(v6.lines()))
        .filter_map(parse_socket)
        .collect())
}

fn parse_socket(line: &str) -> Option<Socket> {
    let mut fields = line.split_ascii_whitespace();
    let local = parse_addr(fields.nth(1)?)?;
    let peer = parse_addr(fields.next()?)?;
    let state = match fields.next()? {
        "0A" => State::Listens,
        "06" => State::Lingers,
        _ => State::Other,
    };
    let user = fields.nth(3)?.parse().ok()?;
    let inode = fields.nth(1)?.parse().ok()?;
    Some(Socket {
        local,
        peer,
        state,
        inode,
        user,
    })
}

fn parse_addr(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
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
    Some(SocketAddr::new(ip, port))
}

/// A process, as `/proc/…/stat` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) name: String,
    pub(crate) parent: u32,
    pub(crate) group: u32,
    /// It has ended, and its parent has not yet asked for its status.
    pub(crate) dead: bool,
}

/// The process ids that there are.
pub(crate) fn pids() -> impl Iterator<Item = u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.filter_map(|process| process.file_name().to_str()?.parse().ok())
}

/// The process with this id; none once it is gone.
pub(crate) fn process(pid: u32) -> Option<Process> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    parse_process(&String::from_utf8_lossy(&stat))
}

/// Whether the process has ended, or has begun to: it serves no client any more, and what it has open is not for others to
/// see.
pub(crate) fn is_ending(pid: u32) -> bool {
    const EXITING: u32 = 4;
    let Ok(stat) = fs::read(format!("/proc/{pid}/stat")) else {
        return true;
    };
    let stat = String::from_utf8_lossy(&stat);
    let mut fields = stat
        .rsplit_once(") ")
        .map_or("", |(_, rest)| rest)
        .split_ascii_whitespace();
    let state = fields.next();
    let flags = fields.nth(5).and_then(|flags| flags.parse::<u32>().ok());
    matches!(state, None | Some("Z" | "X")) || flags.is_some_and(|flags| flags & EXITING != 0)
}

/// Whether no thread of the process runs: each was stopped by a signal, or has ended.
pub(crate) fn is_stopped(pid: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task"));
    threads.into_iter().flatten().flatten().all(|thread| {
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        let state = stat
            .rsplit_once(") ")
            .and_then(|(_, rest)| rest.chars().next());
        matches!(state, None | Some('T' | 't' | 'Z' | 'X'))
    })
}

/// `42 (name) S parent group …`.
fn parse_process(stat: &str) -> Option<Process> {
    let (pid, rest) = stat.split_once(" (")?;
    // A name may have parentheses of its own.
    let (name, rest) = rest.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let &[state, parent, group, ..] = fields.as_slice() else {
        return None;
    };
    // When the first thread has ended, the others may still run, with everything that is open.
    let threads = fields.get(17)?;
    Some(Process {
        pid: pid.parse().ok()?,
        name: name.to_owned(),
        parent: parent.parse().ok()?,
        group: group.parse().ok()?,
        dead: matches!(state, "Z" | "X") && matches!(*threads, "0" | "1"),
    })
}

/// The children of a process, in the order that they became so; none where the kernel was built without such lists, or
/// the process is gone.
pub(crate) fn children(pid: u32) -> Option<Vec<u32>> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let mut children = Vec::new();
    for thread in threads.flatten() {
        match fs::read_to_string(thread.path().join("children")) {
            Ok(pids) => children.extend(
                pids.split_whitespace()
                    .filter_map(|pid| pid.parse::<u32>().ok()),
            ),
            // A thread that has ended meanwhile. Its list is another thread's by now.
            Err(_) if thread.path().exists() => return None,
            Err(_) => {}
        }
    }
    Some(children)
}

/// The program that this process runs, whatever has become of its file.
pub(crate) const EXECUTABLE: &str = "/proc/self/exe";

/// Whether what is at this address was loaded from the executable, and not from a library.
pub(crate) fn is_in_executable(address: usize) -> Option<bool> {
    let is_there = |line: &str| {
        let (first, end) = line.split_once(' ')?.0.split_once('-')?;
        let [first, end] = [first, end].map(|text| usize::from_str_radix(text, 16));
        (first.ok()?..end.ok()?).contains(&address).then_some(())
    };
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    let executable = fs::read_link(EXECUTABLE).ok()?;
    let line = maps.lines().find(|line| is_there(line).is_some())?;
    // The sixth field, which may have spaces.
    let file = line.find('/').map(|at| std::path::Path::new(&line[at..]));
    Some(file == Some(&executable))
}

/// The arguments that this process was started with.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn arguments() -> Vec<String> {
    let words = fs::read("/proc/self/cmdline").unwrap_or_default();
    let words = words
        .strip_suffix(b"\0")
        .unwrap_or(&words)
        .split(|&byte| byte == 0);
    words
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}

/// The command line of a process, cut to 300 characters; none for a kernel thread and for a process that is ending.
pub(crate) fn command_line(pid: u32) -> Option<String> {
    let words = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let words = String::from_utf8_lossy(&words);
    let line = words.trim_end_matches('\0').replace('\0', " ");
    (!line.is_empty()).then(|| line.chars().take(300).collect())
}

/// When a process began, in ticks since the machine did.
pub(crate) fn began(pid: u32) -> Option<u64> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// Among which processes numbers count here.
pub(crate) fn pid_namespace() -> Option<String> {
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    namespace.to_str().map(str::to_owned)
}

/// A variable of a process's environment, as it was started; none if it has none, or may not be looked into.
pub(crate) fn variable(pid: u32, name: &str) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mut variables = environment.split(|&byte| byte == 0);
    let value = variables.find_map(|it| it.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
    std::str::from_utf8(value).ok().map(str::to_owned)
}

/// The file of the program that a process runs; none if it may not be looked into.
#[cfg(feature = "cli")]
pub(crate) fn program(pid: u32) -> Option<std::path::PathBuf> {
    fs::read_link(format!("/proc/{pid}/exe")).ok()
}

/// The number of the user that a process runs as.
pub(crate) fn user(pid: u32) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    let found = fs::metadata(format!("/proc/{pid}")).ok()?;
    Some(found.uid())
}

/// The inodes of the sockets that a process has open.
///
/// # Errors
///
/// When it has ended, or this user may not look.
pub(crate) fn socket_inodes(pid: u32) -> io::Result<HashSet<u64>> {
    let open = fs::read_dir(format!("/proc/{pid}/fd"))?;
    let inode = |file: fs::DirEntry| {
        let target = fs::read_link(file.path()).ok()?;
        let inode = target.to_str()?.strip_prefix("socket:[")?;
        inode.strip_suffix(']')?.parse().ok()
    };
    Ok(open.flatten().filter_map(inode).collect())
}

/// The path of an open file of this process.
pub(crate) fn path_of(fd: std::os::fd::BorrowedFd<'_>) -> String {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

/// How many threads this process has.
pub(crate) fn threads() -> Option<usize> {
    let threads = fs::read_dir("/proc/self/task").ok()?;
    Some(threads.count())
}

/// The first and the last port that the system gives to outgoing connections, as text.
pub(crate) fn ephemeral_ports() -> Option<String> {
    fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()
}

/// The ports that the system gives to no outgoing connection, as text: a list of numbers and ranges.
pub(crate) fn reserved_ports() -> Option<String> {
    fs::read_to_string("/proc/sys/net/ipv4/ip_local_reserved_ports").ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let stat = "42 (a) S (b) Z 7 5 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 99";
        let expected = Process {
            pid: 42,
            name: "a) S (b".to_owned(),
            parent: 7,
            group: 5,
            dead: true,
        };
        assert_eq!(parse_process(stat), Some(expected));
    }

    #[test]
    fn a_socket_is_read_with_its_state_and_a_head_is_passed_over() {
        let line = |state: &str| {
            format!(
                "1: 0100007F:A000 0100007F:1F90 {state} 00000000:00000000 00:00000000 00000000 7 0 4242 1"
            )
        };
        for (code, state) in [
            ("0A", State::Listens),
            ("06", State::Lingers),
            ("01", State::Other),
        ] {
            let expected = Socket {
                local: ([127, 0, 0, 1], 0xa000).into(),
                peer: ([127, 0, 0, 1], 8080).into(),
                state,
                inode: 4242,
                user: 7,
            };
            assert_eq!(parse_socket(&line(code)), Some(expected));
        }
        assert_eq!(parse_socket("sl local_address rem_address st"), None);
    }
}
