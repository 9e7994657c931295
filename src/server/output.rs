//! What a server printed: kept in a file that has no name, so that nothing is left of it.

use std::fs::File;
use std::io;
#[cfg(unix)]
use std::{process::Child, thread};

use crate::text::printable;

/// The output of a server, as far as the command did not send it elsewhere.
#[derive(Debug)]
pub(super) struct Output {
    #[cfg(unix)]
    file: File,
    // A file that is open twice there has one position for both; a second opening, which takes a name, has its own.
    #[cfg(windows)]
    file: tempfile::NamedTempFile,
}

impl Output {
    /// How much of the end is shown.
    const TAIL: u64 = 4096;
    const LINES: usize = 20;

    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            file: tempfile::tempfile()?,
            #[cfg(windows)]
            file: crate::files::make_fleeting()?,
        })
    }

    /// The file to write to. All copies write at the same place, the end.
    #[cfg(unix)]
    pub(super) fn writer(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    #[cfg(windows)]
    pub(super) fn writer(&self) -> io::Result<File> {
        self.file.as_file().try_clone()
    }

    /// Takes in what comes through pipes that the command asked for: nobody else would read them, and a full pipe
    /// stops a server.
    #[cfg(unix)]
    pub(super) fn drain(&self, child: &mut Child) -> io::Result<()> {
        fn pump(mut pipe: impl io::Read + Send + 'static, mut file: File) {
            // It ends with the server, or when the disk is full.
            thread::spawn(move || io::copy(&mut pipe, &mut file));
        }
        if let Some(pipe) = child.stdout.take() {
            pump(pipe, self.writer()?);
        }
        if let Some(pipe) = child.stderr.take() {
            pump(pipe, self.writer()?);
        }
        Ok(())
    }

    /// The last lines; empty if nothing was printed.
    pub(super) fn tail(&self) -> String {
        // It is shown beside an error that matters more than that the file cannot be read.
        let text = self.last_bytes().unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().map(printable).collect();
        lines[lines.len().saturating_sub(Self::LINES)..].join("\n")
    }

    #[cfg(unix)]
    fn last_bytes(&self) -> io::Result<Vec<u8>> {
        use std::os::unix::fs::FileExt;
        let size = self.file.metadata()?.len();
        let length = size.min(Self::TAIL);
        let mut text = vec![0; usize::try_from(length).unwrap_or_default()];
        // At a place: the position is the writers'.
        self.file.read_exact_at(&mut text, size - length)?;
        Ok(text)
    }

    #[cfg(windows)]
    fn last_bytes(&self) -> io::Result<Vec<u8>> {
        use std::io::{Read, Seek, SeekFrom};
        let mut file = self.file.reopen()?;
        let size = file.metadata()?.len();
        file.seek(SeekFrom::Start(size.saturating_sub(Self::TAIL)))?;
        let mut text = Vec::new();
        file.take(Self::TAIL).read_to_end(&mut text)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn the_tail_is_the_last_lines_and_harmless() {
        let output = Output::new().unwrap();
        assert_eq!(output.tail(), "");
        let mut writer = output.writer().unwrap();
        for line in 1..=1000 {
            writeln!(writer, "line {line}").unwrap();
        }
        write!(writer, "\x1b[31mred\n\u{fffd}end").unwrap();
        let tail = output.tail();
        assert_eq!(tail.lines().count(), 20);
        assert!(
            tail.ends_with("line 1000\n\u{fffd}[31mred\n\u{fffd}end"),
            "{tail}"
        );
        // Reading has not moved where the server writes.
        writeln!(writer, " of it").unwrap();
        assert!(output.tail().ends_with("end of it"));
    }
}
