//! What the system refuses to bind, and not because the port is taken.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use crate::error::{Cause, Error};

/// The first port that needs no privileges to bind.
pub(super) const UNPRIVILEGED: u16 = 1024;

pub(super) fn at_localhost(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// An error for what the system said.
pub(super) fn refused(id: Option<&str>, addr: SocketAddr, source: io::Error) -> Error {
    let advice = match source.kind() {
        io::ErrorKind::PermissionDenied if addr.port() < UNPRIVILEGED => {
            "ports below 1024 need privileges: release the id, and ask for another port"
        }
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::InvalidInput => {
            "no network interface has this address: use another host"
        }
        _ => "the system says why, and it is not that the port is taken",
    };
    Cause::Bind {
        id: id.map(str::to_owned),
        addr,
        source,
        advice,
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_refuses_comes_with_advice() {
        for (port, kind, advice) in [
            (80, io::ErrorKind::PermissionDenied, "need privileges"),
            (1023, io::ErrorKind::PermissionDenied, "need privileges"),
            (1024, io::ErrorKind::PermissionDenied, "the system says why"),
            (80, io::ErrorKind::OutOfMemory, "the system says why"),
            (80, io::ErrorKind::AddrNotAvailable, "no network interface"),
            (80, io::ErrorKind::InvalidInput, "no network interface"),
        ] {
            let error = refused(Some("api"), at_localhost(port), kind.into()).to_string();
            assert!(error.contains(advice), "{port}: {error}");
        }
    }
}
