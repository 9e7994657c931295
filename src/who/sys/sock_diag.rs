//! What Linux says of single sockets by netlink: `man 7 sock_diag`.
//!
//! Its tables in `/proc` have every connection of the machine, and to print them takes the kernel milliseconds after many
//! short connections, even if the reader stops early. Here the kernel filters by port and state.

use std::io::{self, Read};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::linux_socket;
use crate::proc::{Socket, State};

/// The states of TCP sockets that are asked for, as the kernel numbers them.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asked {
    Listening = 10,
    /// Bound, and nothing else. Kernels before 6.8 do not list such sockets.
    Bound = 13,
}

const LINGERS: u8 = 6;

const HEADER: usize = 16;
/// Behind a message's header: two families' numbers and the like, two ports, two addresses, …
const MESSAGE: usize = 72;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const REQUEST_AND_DUMP: u16 = 0x301;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const TCP: u8 = 6;

/// The TCP sockets of the calling thread's network with this local port, of one family and in one state.
///
/// # Errors
///
/// When the kernel has no such answers, or a sandbox forbids to ask.
pub(super) fn tcp(is_ipv6: bool, port: u16, asked: Asked) -> io::Result<Vec<Socket>> {
    let family = if is_ipv6 {
        libc::AF_INET6
    } else {
        libc::AF_INET
    };
    let request = request(family, port, asked);
    let mut socket = linux_socket::ask_kernel(libc::NETLINK_SOCK_DIAG, &request)?;
    let mut found = Vec::new();
    let mut buffer = vec![0; 32 * 1024];
    loop {
        // The kernel has answered by now: this does not block.
        let length = socket.read(&mut buffer)?;
        let mut messages = &buffer[..length];
        while let Some((header, _)) = messages.split_first_chunk::<HEADER>() {
            let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]);
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            let kind = u16::from_ne_bytes([header[4], header[5]]);
            let message = messages.get(HEADER..length).ok_or(CUT)?;
            match kind {
                DONE => return Ok(found),
                ERROR => return Err(io::ErrorKind::Unsupported.into()),
                // Of sockets that are only bound, the kernel lists those of all ports.
                _ => found.extend(parse(message).filter(|found| found.local.port() == port)),
            }
            // Each begins at a multiple of four.
            messages = messages
                .get(length.next_multiple_of(4)..)
                .unwrap_or_default();
        }
    }
}

const CUT: io::ErrorKind = io::ErrorKind::UnexpectedEof;

fn request(family: libc::c_int, port: u16, asked: Asked) -> Vec<u8> {
    let mut request = Vec::with_capacity(MESSAGE);
    request.extend(72_u32.to_ne_bytes());
    request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend(REQUEST_AND_DUMP.to_ne_bytes());
    request.extend([0; 8]); // no number of the message, and from no process in particular
    request.extend([family.to_le_bytes()[0], TCP, 0, 0]);
    request.extend((1_u32 << asked as u32).to_ne_bytes());
    request.extend(port.to_be_bytes());
    // Any other port and addresses.
    request.resize(72, 0);
    request
}

fn parse(message: &[u8]) -> Option<Socket> {
    let message: &[u8; MESSAGE] = message.first_chunk()?;
    let number = |at: usize| {
        let bytes = message[at..]
            .first_chunk()
            .expect("it is within the message");
        u32::from_ne_bytes(*bytes)
    };
    let is_ipv6 = libc::c_int::from(message[0]) == libc::AF_INET6;
    let addr = |port: usize, ip: usize| {
        let port = u16::from_be_bytes([message[port], message[port + 1]]);
        if is_ipv6 {
            let bytes: [u8; 16] = *message[ip..].first_chunk().expect("as above");
            SocketAddr::new(Ipv6Addr::from(bytes).into(), port)
        } else {
            let bytes: [u8; 4] = *message[ip..].first_chunk().expect("as above");
            SocketAddr::new(Ipv4Addr::from(bytes).into(), port)
        }
    };
    Some(Socket {
        local: addr(4, 8),
        peer: addr(6, 24),
        state: match message[1] {
            state if state == Asked::Listening as u8 => State::Listens,
            LINGERS => State::Lingers,
            _ => State::Other,
        },
        user: number(64),
        inode: number(68).into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_listener_and_a_bound_socket_are_found_and_told_apart() {
        for addr in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(addr) else {
                continue; // a machine without IPv6
            };
            let addr = listener.local_addr().unwrap();
            let ask = |asked| tcp(addr.is_ipv6(), addr.port(), asked).unwrap();
            let found = ask(Asked::Listening);
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!((found[0].local, found[0].state), (addr, State::Listens));
            assert_eq!(found[0].user, rustix::process::getuid().as_raw());
            let inodes = crate::proc::socket_inodes(std::process::id()).unwrap();
            assert!(inodes.contains(&found[0].inode));
            assert!(ask(Asked::Bound).is_empty());
            // As a guard does that vacates its port. An old kernel does not list it any more.
            linux_socket::shut_down(&listener).unwrap();
            assert!(ask(Asked::Listening).is_empty());
            assert!(ask(Asked::Bound).iter().all(|found| found.local == addr));
        }
    }
}
