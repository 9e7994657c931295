//! Copies a server's output to the command's own.

use std::io::{self, Write};
use std::sync::Arc;

use super::Server;
use super::output::Output;

/// What a server prints, to be passed on.
#[derive(Debug)]
pub struct Follower {
    output: Arc<Output>,
    at: u64,
}

impl Follower {
    /// From the beginning on.
    #[must_use]
    pub fn of(server: &Server) -> Self {
        Self {
            output: Arc::clone(&server.output),
            at: 0,
        }
    }

    /// Writes what was printed since the last time.
    ///
    /// # Errors
    ///
    /// When it cannot be read or written.
    pub fn pass_on(&mut self, to: &mut impl Write) -> io::Result<()> {
        const AT_ONCE: usize = 64 * 1024;
        loop {
            let (bytes, at) = self.output.read(self.at, AT_ONCE)?;
            if bytes.is_empty() {
                return to.flush();
            }
            self.at = at;
            to.write_all(&bytes)?;
        }
    }
}
