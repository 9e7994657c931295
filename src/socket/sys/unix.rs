//! Ports as Unix shares them.

use std::io;

use socket2::Socket;

/// The error of a machine without an address family.
pub(in crate::socket) const FAMILY_MISSING: i32 = rustix::io::Errno::AFNOSUPPORT.raw_os_error();

/// Before a bind that is to fail over any other socket: nothing to do.
#[expect(clippy::unnecessary_wraps, reason = "same signature as on Windows")]
pub(in crate::socket) fn prepare(_socket: &Socket) -> io::Result<()> {
    Ok(())
}

/// Before a bind that is to hold the port: connections of the last run that are still closing would keep it for a minute.
pub(in crate::socket) fn prepare_to_hold(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)
}

/// After a probe's bind. Should a fork carry a copy of this socket away, the copy must not keep the port from its next
/// holder: allowing reuse after the bind makes it yield to a socket that allows it too.
pub(in crate::socket) fn yield_to_holders(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)
}
