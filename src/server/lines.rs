//! The lines that a server prints, as they come.

use std::io;

use super::output::Output;
use crate::text::plain;

/// How much is read at a time, and how long a line may be to be seen whole.
const CHUNK: usize = 1 << 20;

/// A reader of an output's lines, from a place on.
#[derive(Debug)]
pub(super) struct Lines {
    at: u64,
    /// What was read of a line that has no end yet.
    begun: Vec<u8>,
}

impl Lines {
    pub(super) fn from(at: u64) -> Self {
        let begun = Vec::new();
        Self { at, begun }
    }

    /// The next complete lines, without escape sequences; empty when none was printed meanwhile.
    pub(super) fn next(&mut self, output: &Output) -> io::Result<Vec<String>> {
        let (read, at) = output.read(self.at, CHUNK)?;
        self.at = at;
        self.begun.extend(read);
        let complete = self
            .begun
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |at| at + 1);
        let lines = self.begun.drain(..complete).collect::<Vec<_>>();
        if self.begun.len() > CHUNK {
            self.begun.drain(..CHUNK / 2);
        }
        Ok(String::from_utf8_lossy(&lines).lines().map(plain).collect())
    }

    /// The line that has no end yet, such as a prompt.
    pub(super) fn begun(&self) -> String {
        plain(&String::from_utf8_lossy(&self.begun))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn lines_come_when_they_are_complete() {
        let output = Output::captured().unwrap();
        let mut writer = output.writer().unwrap();
        let mut lines = Lines::from(0);
        write!(writer, "one\r\ntwo\nth").unwrap();
        assert_eq!(lines.next(&output).unwrap(), ["one", "two"]);
        assert_eq!(lines.begun(), "th");
        assert!(lines.next(&output).unwrap().is_empty());
        writeln!(writer, "ree").unwrap();
        assert_eq!(lines.next(&output).unwrap(), ["three"]);
    }
}
