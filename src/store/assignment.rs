//! What the store and the leases know of one id.

use std::time::SystemTime;

use crate::error::Error;
use crate::files::Access;
use crate::lease::Leases;
use crate::who::Holder;

/// An id and the port that the store remembers for it, or the ports of its group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Assignment {
    id: String,
    ports: Vec<u16>,
    holder: Option<Holder>,
    last_used: Option<SystemTime>,
}

impl Assignment {
    /// What is known of the ports at this moment.
    pub(crate) fn look(
        leases: &Leases,
        access: Access,
        id: &str,
        ports: Vec<u16>,
    ) -> Result<Self, Error> {
        let (mut holder, mut last_used) = (None, None);
        for &port in &ports {
            if holder.is_none() {
                holder = leases.holder(port, access)?;
            }
            last_used = last_used.max(leases.last_used(port)?);
        }
        Ok(Self {
            id: id.to_owned(),
            ports,
            holder,
            last_used,
        })
    }

    /// The id, without the namespace that `PORT_FOR_NAMESPACE` puts before it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The port, from 1 to 65535; of a group, the first one of its block.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.ports[0]
    }

    /// All ports of the id, in ascending order: those of its [block](crate::Request::block), and their
    /// [companions](crate::Request::companions).
    #[must_use]
    pub fn ports(&self) -> &[u16] {
        &self.ports
    }

    /// Who held the port, or one of the group, when the assignments were listed; none when it was free.
    #[must_use]
    pub fn holder(&self) -> Option<&Holder> {
        self.holder.as_ref()
    }

    /// When a guard last took the port, or a caller last asked for its number (to the minute); none when there is no
    /// record of it.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let ports = port_for::PortFor::open(folder.path().join("ports.json"))?;
    /// ports.guard("api")?.close()?;
    /// let last_used = ports.assignments()?[0].last_used().unwrap();
    /// assert!(last_used.elapsed()?.as_secs() < 60);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn last_used(&self) -> Option<SystemTime> {
        self.last_used
    }
}
