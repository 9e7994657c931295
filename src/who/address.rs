//! Which sockets get the connections to an address.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// Plenty for an address of this machine; only a firewall that drops packets uses it up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// A connection to `addr`; at a wildcard, over loopback.
///
/// # Errors
///
/// When it is not accepted.
pub(crate) fn connect(addr: SocketAddr) -> io::Result<TcpStream> {
    let ip = match addr.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let mut target = addr;
    target.set_ip(ip);
    let stream = TcpStream::connect_timeout(&target, CONNECT_TIMEOUT)?;
    // A client's socket can get the very port that it connects to, and then meets itself.
    if stream.local_addr()? == target {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(stream)
}

/// Whether a connection to `addr` is accepted.
pub(crate) fn accepts(addr: SocketAddr) -> bool {
    connect(addr).is_ok()
}

/// Whether a socket that listens there gets the connections to `addr`.
pub(super) fn serves(socket: SocketAddr, addr: SocketAddr) -> bool {
    let ip = socket.ip().to_canonical();
    socket.port() == addr.port()
        && (ip == addr.ip()
            || ip.is_unspecified() && (socket.is_ipv6() || addr.is_ipv4())
            // A wildcard of ours is served by a socket at any address of it.
            || addr.ip().is_unspecified() && is_same_family(ip, addr.ip()))
}

fn is_same_family(one: IpAddr, other: IpAddr) -> bool {
    one.is_ipv4() == other.is_ipv4()
}
