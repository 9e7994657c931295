//! Which sockets get the connections to an address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// Plenty for an address of this machine; only a firewall that drops packets uses it up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Whether a connection to `addr` is accepted; at a wildcard, over loopback.
pub(crate) fn accepts(addr: SocketAddr) -> bool {
    let ip = match addr.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let mut target = addr;
    target.set_ip(ip);
    // A client's socket can get the very port that it connects to, and then meets itself.
    TcpStream::connect_timeout(&target, CONNECT_TIMEOUT)
        .is_ok_and(|stream| stream.local_addr().ok() != Some(target))
}

/// Whether a socket that listens there gets the connections to `addr`.
pub(super) fn serves(socket: SocketAddr, addr: SocketAddr) -> bool {
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
