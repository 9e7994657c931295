//! Which addresses of this machine a port is held at.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use crate::error::ParseHostError;

/// Where a port is held: an address of this machine, or `localhost`.
///
/// | made from | held |
/// |---|---|
/// | `Ipv4Addr`, `Ipv6Addr`, `IpAddr`, or their text (`"::1"`) | that address, and no other family's |
/// | a wildcard, `"0.0.0.0"` or `"::"` | every address of that family |
/// | `"localhost"` | `127.0.0.1`, and on a machine with IPv6 `::1` as well |
///
/// Other names are not looked up: they are a [`ParseHostError`].
///
/// ```
/// use std::net::{IpAddr, Ipv6Addr};
/// use port_for::Host;
///
/// let loopback: Host = "::1".parse()?;
/// assert_eq!(loopback, Host::from(Ipv6Addr::LOCALHOST));
/// assert_eq!(loopback.to_string(), "::1");
/// assert_eq!(Host::try_from("0.0.0.0")?, Host::from(IpAddr::from([0, 0, 0, 0])));
/// assert!("db.example.com".parse::<Host>().is_err());
/// # Ok::<(), port_for::ParseHostError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Host(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Ip(IpAddr),
    Localhost,
}

impl Host {
    /// Where to hold the port; clients connect to the first.
    pub(crate) fn addrs(self, port: u16) -> Vec<SocketAddr> {
        match self.0 {
            Kind::Ip(ip) => vec![(ip, port).into()],
            Kind::Localhost => vec![
                (Ipv4Addr::LOCALHOST, port).into(),
                (Ipv6Addr::LOCALHOST, port).into(),
            ],
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

impl FromStr for Host {
    type Err = ParseHostError;

    fn from_str(text: &str) -> Result<Self, ParseHostError> {
        match text.parse::<IpAddr>() {
            Ok(ip) => Ok(ip.into()),
            Err(_) if text.eq_ignore_ascii_case("localhost") => Ok(Self(Kind::Localhost)),
            Err(_) => Err(ParseHostError::new(text)),
        }
    }
}

impl TryFrom<&str> for Host {
    type Error = ParseHostError;

    fn try_from(text: &str) -> Result<Self, ParseHostError> {
        text.parse()
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Ip(ip) => ip.fmt(f),
            Kind::Localhost => f.write_str("localhost"),
        }
    }
}
