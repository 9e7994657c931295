//! Which addresses of this machine a port is held at.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::error::{Cause, Error};

/// Where a port is held: an address of this machine, or `localhost`.
///
/// | made from | held |
/// |---|---|
/// | `Ipv4Addr`, `Ipv6Addr`, `IpAddr`, or their text (`"::1"`) | that address, and no other family's |
/// | a wildcard, `"0.0.0.0"` or `"::"` | every address of that family |
/// | `"localhost"` | `127.0.0.1`, and on a machine with IPv6 `::1` as well |
///
/// Other names are not looked up: [`Request::guard`](crate::Request::guard) refuses them.
///
/// ```
/// use std::net::{IpAddr, Ipv6Addr};
/// use port_for::Host;
///
/// assert_eq!(Host::from("::1"), Host::from(Ipv6Addr::LOCALHOST));
/// assert_eq!(Host::from("0.0.0.0"), Host::from(IpAddr::from([0, 0, 0, 0])));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Host(Kind);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Kind {
    Ip(IpAddr),
    Localhost,
    /// Told when the host is used, so that a conversion need not fail.
    Unknown(String),
}

impl Host {
    /// The addresses to hold the port at, the one that clients are told of first.
    ///
    /// # Errors
    ///
    /// When the host is neither an address nor `localhost`.
    pub(crate) fn addrs(&self, id: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
        let at = |ip: IpAddr| SocketAddr::new(ip, port);
        match &self.0 {
            Kind::Ip(ip) => Ok(vec![at(*ip)]),
            Kind::Localhost => Ok(vec![
                at(Ipv4Addr::LOCALHOST.into()),
                at(Ipv6Addr::LOCALHOST.into()),
            ]),
            Kind::Unknown(host) => Err(Cause::UnknownHost {
                id: id.to_owned(),
                host: host.clone(),
            }
            .into()),
        }
    }
}

impl Default for Host {
    fn default() -> Self {
        Ipv4Addr::LOCALHOST.into()
    }
}

impl From<IpAddr> for Host {
    fn from(ip: IpAddr) -> Self {
        Self(Kind::Ip(ip))
    }
}

impl From<Ipv4Addr> for Host {
    fn from(ip: Ipv4Addr) -> Self {
        IpAddr::from(ip).into()
    }
}

impl From<Ipv6Addr> for Host {
    fn from(ip: Ipv6Addr) -> Self {
        IpAddr::from(ip).into()
    }
}

impl From<&str> for Host {
    fn from(host: &str) -> Self {
        Self(match host.parse() {
            Ok(ip) => Kind::Ip(ip),
            Err(_) if host.eq_ignore_ascii_case("localhost") => Kind::Localhost,
            Err(_) => Kind::Unknown(host.to_owned()),
        })
    }
}
