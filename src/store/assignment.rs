//! What the store and the leases know of one id.

use std::time::SystemTime;

use crate::error::Error;
use crate::files::Access;
use crate::lease::Leases;
use crate::who::Holder;

/// An id and the port that the store remembers for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Assignment {
    id: String,
    port: u16,
    holder: Option<Holder>,
    last_used: Option<SystemTime>,
}

impl Assignment {
    /// What is known of the port at this moment.
    pub(crate) fn look(
        leases: &Leases,
        access: Access,
        id: &str,
        port: u16,
    ) -> Result<Self, Error> {
        Ok(Self {
            id: id.to_owned(),
            port,
            holder: leases.holder(port, access)?,
            last_used: leases.last_used(port)?,
        })
    }

    /// The id, without the namespace that `PORT_FOR_NAMESPACE` puts before it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The port, from 1 to 65535.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Who held the port when the assignments were listed; none when it was free.
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
