//! How a guard ends: at once, or with the test.

use std::cell::RefCell;
use std::net::SocketAddr;

use super::{CANNOT_SHUT_DOWN, PortGuard, left};
use crate::error::Error;

impl PortGuard {
    /// The thread or task that acquired it keeps it.
    pub(crate) fn stays(&self) {
        self.tenancy.stays();
    }

    /// Vacates the port, and keeps it leased until the calling thread ends, which is a test's, or the process: for helpers
    /// that can only return an address or a number. The thread cannot get the port a second time.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let ports = port_for::PortFor::open(folder.path().join("ports.json"))?;
    /// # let port_of_the_api = || ports.guard("api")?.keep_for_test();
    /// let addr = port_of_the_api()?;
    /// let server = std::net::TcpListener::bind(addr)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`vacate`](Self::vacate).
    pub fn keep_for_test(mut self) -> Result<SocketAddr, Error> {
        thread_local! {
            static KEPT: RefCell<Vec<PortGuard>> = const { RefCell::new(Vec::new()) };
        }
        let addr = self.vacate()?;
        self.stays();
        KEPT.with(|kept| kept.borrow_mut().push(self));
        Ok(addr)
    }

    /// Gives the port up, and tells of a failure to; a drop does the same silently. While a [`Server`](crate::Server) that
    /// was started on it lives, the lease is the server's still.
    ///
    /// The assignment stays: the id has the same port the next time.
    ///
    /// # Errors
    ///
    /// [`Handoff`](crate::ErrorKind::Handoff) or [`Store`](crate::ErrorKind::Store) when the system cannot close the
    /// socket or unlock the lease. Both are gone all the same once this process has ended.
    pub fn close(mut self) -> Result<(), Error> {
        self.end()
    }

    /// Lets go of the socket, then of the lease: in the other order, the next holder could find the port taken.
    fn end(&mut self) -> Result<(), Error> {
        if !self.tenancy.is_ours() {
            // A forked child: socket and lease are its parent's. Its copies are closed, no more.
            return Ok(());
        }
        let mut hold = self.hold.lock();
        if let Some(listener) = hold.taken() {
            left::note(self.addr, listener);
        }
        let closed = hold.end();
        drop(hold);
        let closed =
            closed.map_err(|error| self.failed("release the port", CANNOT_SHUT_DOWN, error));
        closed.and(self.tenancy.end())
    }
}

impl Drop for PortGuard {
    fn drop(&mut self) {
        // A drop cannot report a failure; `close` does.
        let _ = self.end();
    }
}
