//! Guards for sockets that this process was started with.

use std::borrow::Cow;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use super::hold::Obstacle;
use super::refused::refused;
use super::target::Target;
use crate::ask::Preference;
use crate::error::Error;
use crate::guard::{Hold, PortGuard, bind_udp};
use crate::handover;
use crate::wait::Wait;

impl Target<'_> {
    /// Whether this process was started with a socket of that name, and not one at another port than is demanded.
    pub(super) fn inherited(&self) -> bool {
        let id = self.ask.id().filter(|_| self.ask.group.is_single());
        let port = id.and_then(handover::inherited_port);
        port.is_some_and(|port| match self.ask.preference {
            Preference::Exact(wanted) => port == wanted,
            Preference::Any | Preference::Default(_) => true,
        })
    }
}

/// Guards for the sockets that this process was started with, all or none; false when another thread was faster.
pub(super) async fn all(
    targets: &[&Target<'_>],
    guards: &mut Vec<(usize, PortGuard)>,
    wait: &mut Wait,
) -> Result<bool, Error> {
    if targets.is_empty() {
        return Ok(true);
    }
    let ids: Vec<_> = targets
        .iter()
        .filter_map(|target| target.ask.id())
        .collect();
    // Unless all goes well, they go back to where they came from.
    let Some(sockets) = handover::take_all(&ids) else {
        return Ok(false);
    };
    let mut places = Vec::with_capacity(ids.len());
    for (target, listener) in targets.iter().zip(sockets.listeners()) {
        let unknown = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let addr =
            (listener.local_addr()).map_err(|source| refused(target.ask.id(), unknown, source))?;
        let mut udp = None;
        if target.ask.udp {
            udp = Some(udp_beside(target, addr, wait).await?);
        }
        places.push((addr, udp));
    }
    let sockets = sockets.keep();
    for (((target, id), listener), (addr, udp)) in targets.iter().zip(ids).zip(sockets).zip(places)
    {
        let hold = Hold::inherited(addr, listener, udp);
        guards.push((target.nth, PortGuard::inherited(id.to_owned(), hold)));
    }
    Ok(true)
}

/// The UDP port beside a socket that this process was started with, waited for while it is taken: the starter of this
/// process may have asked for it as well.
async fn udp_beside(
    target: &Target<'_>,
    addr: SocketAddr,
    wait: &mut Wait,
) -> Result<UdpSocket, Error> {
    let mut obstacle = Obstacle::new(target.ask.id().map(Cow::Borrowed), None);
    loop {
        match bind_udp(addr) {
            Ok(socket) => return Ok(socket),
            Err(taken) if taken.is_taken() => {
                obstacle.outlast(target, taken, wait).await?;
            }
            Err(other) => return Err(refused(target.ask.id(), addr, other.source)),
        }
    }
}
