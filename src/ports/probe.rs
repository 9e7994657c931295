//! Ports as they are right now.

use std::io;
use std::net::SocketAddr;

use super::PortSet;
use crate::socket;
use crate::who::accepts;

/// Whether the TCP port of `addr`, an address of this machine, is in use.
///
/// A port is in use if it cannot be bound, at that address or at the wildcard (`0.0.0.0` or `[::]`), or if it accepts a
/// connection, as a port forwarded to a container does. A port that this user may not bind counts as used, and so does
/// one that the system cannot test.
///
/// A server there may see one connection come and go. In Python: `port_is_used(port, host)`.
///
/// ```
/// use std::net::{Ipv4Addr, TcpListener};
///
/// let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
/// assert!(port_for::ports::is_used(listener.local_addr()?));
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use]
pub fn is_used(addr: impl Into<SocketAddr>) -> bool {
    let mut addr = addr.into();
    addr.set_ip(addr.ip().to_canonical());
    !socket::can_be_bound_at(addr).unwrap_or(false) || accepts(addr)
}

/// Whether `port` is good for a server and free at this moment: one of
/// [`PortSet::available(..)`](PortSet::available), and no socket has it, for TCP or UDP, over IPv4 or IPv6.
///
/// If the system cannot say, because no file descriptor is left, the answer is no.
///
/// In Python: `is_available(port)`.
///
/// ```
/// use port_for::ports::is_available;
///
/// assert!(!is_available(80)); // HTTP's
/// assert!(!is_available(11211)); // memcached's
/// ```
#[must_use]
pub fn is_available(port: u16) -> bool {
    PortSet::available(port..=port).contains(port) && socket::can_be_bound(port).unwrap_or(false)
}

/// A random port of `ports` that is free now, for TCP and UDP, over IPv4 and IPv6; `None` if there is none.
///
/// The set can have any ports, also registered ones. In Python: `select_random(ports, exclude_ports)`, and `get_port`
/// with ranges, sets and exclusions:
///
/// | Python | here |
/// |---|---|
/// | `get_port(None)` | `pick(&PortSet::good())` |
/// | `get_port((2000, 3000))` | `pick(&PortSet::from(2000..=3000))` |
/// | `get_port({4001, 4003})` | `pick(&PortSet::from([4001, 4003]))` |
/// | `get_port([(2000, 3000), {4001, 4003}])` | `pick(&"2000-3000,4001,4003".parse()?)` |
/// | `get_port((8000, 8010), exclude)` | `pick(&(&PortSet::from(8000..=8010) - &exclude))` |
///
/// `get_port(8000)` and `get_port(-1)` return their argument unchecked and `None`; neither needs a
/// function.
///
/// # Errors
///
/// If the system cannot say whether a port is free, because no file descriptor is left.
pub fn pick(ports: &PortSet) -> io::Result<Option<u16>> {
    pick_where(ports, socket::can_be_bound)
}

fn pick_where(
    ports: &PortSet,
    is_free: impl Fn(u16) -> io::Result<bool>,
) -> io::Result<Option<u16>> {
    let mut candidates: Vec<u16> = ports.iter().collect();
    while !candidates.is_empty() {
        let port = candidates.swap_remove(fastrand::usize(..candidates.len()));
        if is_free(port)? {
            return Ok(Some(port));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_free_port_is_picked_each_time() {
        for _ in 0..100 {
            let picked = pick_where(&PortSet::from([1, 2, 3]), |port| Ok(port == 2));
            assert_eq!(picked.unwrap(), Some(2));
        }
    }

    #[test]
    fn nothing_is_picked_where_all_are_used() {
        assert_eq!(pick_where(&PortSet::good(), |_| Ok(false)).unwrap(), None);
    }

    #[test]
    fn a_system_that_cannot_say_is_an_error_and_not_a_used_port() {
        let cannot_say = |_| Err(io::Error::other("no descriptor left"));
        let error = pick_where(&PortSet::from(1..=9), cannot_say).unwrap_err();
        assert_eq!(error.to_string(), "no descriptor left");
    }
}
