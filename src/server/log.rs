//! The log of a server that other processes read.

use std::fs::File;
use std::io;
use std::path::Path;

use super::output::{self, Output};
use crate::error::Printed;

/// The file that a server's output is appended to. It stays readable when its name is gone.
#[derive(Debug)]
pub(crate) struct Log(Output);

impl Log {
    /// Of a file that is open for reading.
    pub(crate) fn of(file: File, path: &Path) -> Self {
        Self(Output::named(file, path))
    }

    /// All that was printed. Where the middle was cut out, a line says so.
    pub(crate) fn text(&self) -> io::Result<String> {
        self.0.text(0)
    }

    /// The last lines, for stderr, unless they were printed already.
    pub(crate) fn tail(&self) -> Option<Printed> {
        self.0.tell_anew(true)
    }
}

/// Cuts the middle out of a log that has become long.
pub(crate) fn trim(log: &File) {
    // Without it, the log only takes more space.
    if let Ok(found) = log.metadata() {
        output::cut(log, found.len());
    }
}
