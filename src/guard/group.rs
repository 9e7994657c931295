//! Guards of ports that belong together.

use std::sync::Arc;

use super::PortGuard;
use super::ownership::Ownership;
use super::sibling::{Beside, Held, Sibling};

impl PortGuard {
    /// The guard of a port with its companions.
    pub(crate) fn with_companions(
        id: Option<String>,
        (mut hold, lease): Held,
        companions: Vec<Held>,
    ) -> Self {
        let ports = companions.iter().map(|(hold, _)| hold.addr().port());
        let ports = ports.collect();
        let (holds, leases) = companions.into_iter().unzip();
        hold.accompany(holds);
        let mut guard = Self::with(id, hold, Ownership::Leased(lease, leases));
        guard.companions = ports;
        guard
    }

    /// The guards of a block come to know each other.
    pub(crate) fn join(guards: &mut [Self]) {
        let siblings = guards.iter().map(|guard| {
            let companions = guard.companions.iter().copied();
            let ports = [guard.port()].into_iter().chain(companions);
            Sibling::new(ports.collect(), &guard.hold, &guard.tenancy)
        });
        let siblings: Arc<[Sibling]> = siblings.collect();
        for guard in guards {
            guard.siblings = Some(Arc::clone(&siblings));
        }
    }

    /// The ports that go with this one, as [`Request::companions`](crate::Request::companions) asked for them, in that order.
    /// They are held along with it, vacated along with it, and end with the guard.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let ports = port_for::PortFor::open(folder.path().join("ports.json"))?;
    /// let redis = ports.request("redis").companions([10_000]).guard()?;
    /// assert_eq!(redis.companions(), [redis.port() + 10_000]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn companions(&self) -> &[u16] {
        &self.companions
    }

    /// Vacates the other ports of this block that `ports` names, all or none, for a server on this port. The server keeps
    /// their leases until it ends.
    ///
    /// # Errors
    ///
    /// A sentence about the port that cannot be vacated.
    pub(crate) fn vacate_siblings(&self, ports: &[u16]) -> Result<Vec<Beside>, String> {
        let named = (self.siblings.iter().flat_map(|siblings| &**siblings))
            .filter(|sibling| sibling.port() != self.port() && sibling.has_one_of(ports));
        let mut vacated: Vec<Beside> = Vec::new();
        for sibling in named {
            match sibling.vacate() {
                Ok(beside) => vacated.push(beside),
                Err(error) => {
                    for beside in vacated {
                        beside.hold.rearm();
                    }
                    let port = sibling.port();
                    return Err(format!(
                        "it names port {port} of the same block, which cannot be vacated: {error}"
                    ));
                }
            }
        }
        Ok(vacated)
    }
}
