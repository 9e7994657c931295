//! Ports as Windows shares them.

#![allow(unsafe_code)]

use std::io;
use std::os::windows::io::AsRawSocket;
use std::ptr;

use socket2::Socket;

use windows_sys::Win32::Networking::WinSock::{
    SO_EXCLUSIVEADDRUSE, SOCKET, SOL_SOCKET, WSAEAFNOSUPPORT, setsockopt,
};

/// The error of a machine without an address family.
pub(in crate::socket) const FAMILY_MISSING: i32 = WSAEAFNOSUPPORT;

/// Has the socket, which is not bound yet, keep its port to itself: without this, a program that sets `SO_REUSEADDR` can bind
/// the same address and get some of its connections. Nor does it join anybody else: bound to a wildcard, it has the
/// port at no address that another socket has.
///
/// # Errors
///
/// What the system says.
pub(in crate::socket) fn prepare(socket: &Socket) -> io::Result<()> {
    let yes = 1_i32;
    // SAFETY: the socket is open for as long as it is borrowed, and the value is one of four bytes, the length that is passed.
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

/// Before a bind that is to hold the port. `SO_REUSEADDR` would share it with every program that sets it as well.
pub(in crate::socket) fn prepare_to_hold(socket: &Socket) -> io::Result<()> {
    prepare(socket)
}

/// After a probe's bind: nothing is inherited here, and nothing has to yield.
#[expect(clippy::unnecessary_wraps, reason = "same signature as on Unix")]
pub(in crate::socket) fn yield_to_holders(_socket: &Socket) -> io::Result<()> {
    Ok(())
}
