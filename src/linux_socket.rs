//! Sockets that only Linux has: abstract Unix sockets with the credentials of their other end, and netlink.

// The standard library does not tell yet, in its stable part, who is at the other end of a socket.
#![allow(unsafe_code)]

use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd};

use socket2::{Domain, SockAddr, SockRef, Socket, Type};

/// The process that listens at an abstract name. Does not block.
///
/// # Errors
///
/// `WouldBlock` when a process listens there, and its backlog is full.
pub(crate) fn listener_at(name: &str) -> io::Result<libc::ucred> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    // What begins with a zero byte is no path.
    socket.connect(&SockAddr::unix(format!("\0{name}"))?)?;
    let mut found = MaybeUninit::<libc::ucred>::uninit();
    let mut length = libc::socklen_t::try_from(size_of_val(&found)).map_err(io::Error::other)?;
    // SAFETY: the system writes at most `length` bytes, and on success all of the value.
    unsafe {
        let (fd, to) = (socket.as_raw_fd(), found.as_mut_ptr().cast());
        if libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_PEERCRED, to, &raw mut length) != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(found.assume_init())
    }
}

/// Has a listening socket refuse connections from now on, in every process that has it open.
///
/// # Errors
///
/// When it does not listen.
pub(crate) fn shut_down(listener: &impl AsFd) -> io::Result<()> {
    SockRef::from(listener).shutdown(Shutdown::Both)
}

/// Asks a part of the kernel by netlink. Its answers can be read without blocking, a few at a time.
///
/// # Errors
///
/// When a sandbox forbids such sockets, or the kernel has no such part.
pub(crate) fn ask_kernel(about: libc::c_int, request: &[u8]) -> io::Result<impl Read> {
    let socket = Socket::new(libc::AF_NETLINK.into(), Type::DGRAM, Some(about.into()))?;
    // Without an address, it goes to the kernel.
    socket.send(request)?;
    Ok(socket)
}
