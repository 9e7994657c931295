//! Ports that nobody can join.

#![allow(unsafe_code)]

use std::io;
use std::os::windows::io::AsRawSocket;
use std::ptr;

use windows_sys::Win32::Networking::WinSock::{
    SO_EXCLUSIVEADDRUSE, SOCKET, SOL_SOCKET, setsockopt,
};

/// Has the socket, which is not bound yet, keep its port to itself: without this, whoever sets `SO_REUSEADDR` can bind
/// the same address and get some of its connections. Nor does it join anybody else: bound to a wildcard, it has the
/// port at no address beside somebody who has it at one.
///
/// # Errors
///
/// What the system says.
pub(crate) fn set(socket: &impl AsRawSocket) -> io::Result<()> {
    let yes = 1_i32;
    // SAFETY: the socket is open for as long as it is borrowed, and the value is one of four bytes, as is said.
    let result = unsafe {
        setsockopt(
            socket.as_raw_socket() as SOCKET,
            SOL_SOCKET,
            SO_EXCLUSIVEADDRUSE,
            ptr::from_ref(&yes).cast(),
            4,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
