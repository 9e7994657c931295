//! What a server printed: kept in a file that has no name, so that nothing is left of it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
#[cfg(unix)]
use std::{process::Child, thread};

use crate::error::Printed;
use crate::text::{plain, printable};

/// More than that is not kept: the middle is cut out.
#[cfg(target_os = "linux")]
const LIMIT: u64 = 64 << 20;
/// What is kept of the beginning, and of the end.
#[cfg(target_os = "linux")]
const HALF: u64 = LIMIT / 2;

/// The output of a server, as far as the command did not send it elsewhere.
#[derive(Debug)]
pub(super) struct Output {
    #[cfg(unix)]
    file: File,
    // A file that is open twice there has one position for both; a second opening, which takes a name, has its own.
    #[cfg(windows)]
    file: Windows,
    /// A file that the server writes by itself.
    log: Option<PathBuf>,
    /// Whether the server's streams are this process's own, and nothing is captured.
    pub(super) is_inherited: bool,
    /// The lines that an error shows, and how much had been printed by then.
    told: Mutex<Option<(Printed, u64)>>,
}

#[cfg(windows)]
#[derive(Debug)]
enum Windows {
    Fleeting(tempfile::NamedTempFile),
    Named(File, PathBuf),
}

impl Output {
    /// How much of the end is shown.
    const TAIL: u64 = 4096;
    const LINES: usize = 20;

    /// A file of its own.
    pub(super) fn captured() -> io::Result<Self> {
        #[cfg(unix)]
        let file = tempfile::tempfile()?;
        #[cfg(windows)]
        let file = Windows::Fleeting(crate::files::make_fleeting()?);
        // So that looking for what was cut out moves no writer's position.
        #[cfg(unix)]
        rustix::fs::fcntl_setfl(&file, rustix::fs::OFlags::APPEND)?;
        Ok(Self::of(file))
    }

    /// A user's file, which is appended to.
    pub(super) fn to(path: &Path) -> io::Result<Self> {
        let file = File::options()
            .read(true)
            .append(true)
            .create(true)
            .open(path)?;
        Ok(Self::named(file, path))
    }

    /// A file that has a name.
    pub(super) fn named(file: File, path: &Path) -> Self {
        #[cfg(windows)]
        let file = Windows::Named(file, path.to_owned());
        let _ = path;
        Self::of(file)
    }

    #[cfg(unix)]
    fn of(file: File) -> Self {
        let (log, is_inherited, told) = Default::default();
        Self {
            file,
            log,
            is_inherited,
            told,
        }
    }

    #[cfg(windows)]
    fn of(file: Windows) -> Self {
        let (log, is_inherited, told) = Default::default();
        Self {
            file,
            log,
            is_inherited,
            told,
        }
    }

    /// Has the end of that file shown as well, which the server writes by itself.
    pub(super) fn with_log(mut self, log: Option<PathBuf>) -> Self {
        self.log = log;
        self
    }

    /// The file to write to. All copies write at the same place, the end.
    pub(super) fn writer(&self) -> io::Result<File> {
        self.file().try_clone()
    }

    #[cfg(unix)]
    fn file(&self) -> &File {
        &self.file
    }

    #[cfg(windows)]
    fn file(&self) -> &File {
        match &self.file {
            Windows::Fleeting(file) => file.as_file(),
            Windows::Named(file, _) => file,
        }
    }

    /// Takes in what comes through pipes that the command asked for: no one else reads them, and a full pipe
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

    /// How much was printed, in bytes.
    pub(super) fn len(&self) -> u64 {
        self.file().metadata().map_or(0, |found| found.len())
    }

    /// All that was printed from a place on. Where the middle was cut out, a line says so.
    pub(super) fn text(&self, from: u64) -> io::Result<String> {
        let mut text = Vec::new();
        let mut at = from;
        loop {
            let start = self.next_data(at)?;
            if start > at {
                let cut = format!("\n[port-for: {} bytes were cut out here]\n", start - at);
                text.extend(cut.into_bytes());
            }
            let (read, end) = self.read(start, 1 << 20)?;
            if read.is_empty() {
                return Ok(String::from_utf8_lossy(&text).into_owned());
            }
            text.extend(read);
            at = end;
        }
    }

    /// At most `length` bytes from a place on, or from behind what was cut out there, and the place where they end.
    pub(super) fn read(&self, at: u64, length: usize) -> io::Result<(Vec<u8>, u64)> {
        let at = self.next_data(at)?;
        let mut bytes = vec![
            0;
            usize::try_from(self.len().saturating_sub(at))
                .unwrap_or(length)
                .min(length)
        ];
        let mut filled = 0;
        while filled < bytes.len() {
            match self.read_at(&mut bytes[filled..], at + filled as u64)? {
                0 => break,
                more => filled += more,
            }
        }
        bytes.truncate(filled);
        let end = at + filled as u64;
        // What was cut out meanwhile reads as zeros.
        let cut = self.next_data(at)?.min(end) - at;
        bytes.drain(..usize::try_from(cut).unwrap_or_default());
        Ok((bytes, end))
    }

    #[cfg(unix)]
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        use std::os::unix::fs::FileExt;
        // At a place: the position is the writers'.
        self.file.read_at(buffer, at)
    }

    #[cfg(windows)]
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        use std::os::windows::fs::FileExt;
        let file = match &self.file {
            Windows::Fleeting(file) => file.reopen()?,
            Windows::Named(_, path) => File::open(path)?,
        };
        file.seek_read(buffer, at)
    }

    /// The place, or if it was cut out where the rest begins.
    fn next_data(&self, at: u64) -> io::Result<u64> {
        #[cfg(target_os = "linux")]
        if self.len() > LIMIT && at >= HALF {
            use rustix::fs::{SeekFrom, seek};
            return match seek(&self.file, SeekFrom::Data(at)) {
                Ok(data) => Ok(data),
                // Behind the end.
                Err(rustix::io::Errno::NXIO) => Ok(at),
                Err(error) => Err(error.into()),
            };
        }
        Ok(at)
    }

    /// The last lines; empty if nothing was printed.
    pub(super) fn tail(&self) -> String {
        // It is shown beside an error that matters more than that the file cannot be read.
        let from = self.len().saturating_sub(Self::TAIL);
        let (text, _) = self.read(from, usize::MAX).unwrap_or_default();
        let mut tail = last_lines(&text);
        if let Some(log) = &self.log {
            let text = read_end(log, Self::TAIL).unwrap_or_default();
            let lines = last_lines(&text);
            if !lines.is_empty() {
                let separator = if tail.is_empty() { "" } else { "\n" };
                tail = format!("{tail}{separator}[{}]\n{lines}", log.display());
            }
        }
        tail
    }

    /// What is to be said of a folder without space: then it is not the server that is to blame.
    pub(super) fn complaint(&self) -> String {
        #[cfg(target_os = "linux")]
        if rustix::fs::fstatvfs(&self.file).is_ok_and(|found| found.f_bavail == 0) {
            return format!(
                "; no space is left where its output is kept, in the temporary folder `{}`",
                std::env::temp_dir().display()
            );
        }
        String::new()
    }

    /// The last lines for an error, which are not printed again elsewhere once they were seen.
    pub(super) fn tell(&self) -> Printed {
        let tail = self.tail();
        let printed = if tail.is_empty() {
            Printed::default()
        } else {
            Printed::new(format!(
                "\nits last lines:\n  {}",
                tail.replace('\n', "\n  ")
            ))
        };
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((printed.clone(), self.len()));
        printed
    }

    /// As [`tell`](Self::tell), for stderr; none if an error has told all of it, and one that `must_be_seen` was printed
    /// as `unwrap` prints it.
    pub(super) fn tell_anew(&self, must_be_seen: bool) -> Option<Printed> {
        let told = self
            .told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match told {
            Some((printed, length))
                if length == self.len() && (printed.is_seen() || !must_be_seen) =>
            {
                None
            }
            _ => Some(self.tell()),
        }
    }
}

fn last_lines(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<_> = text.lines().map(|line| printable(&plain(line))).collect();
    lines[lines.len().saturating_sub(Output::LINES)..].join("\n")
}

fn read_end(path: &Path, length: u64) -> io::Result<Vec<u8>> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(length)))?;
    let mut text = Vec::new();
    file.take(length).read_to_end(&mut text)?;
    Ok(text)
}

/// For the guardian: cuts the middle out of a captured output that has become long. Tells its size; none if it is not
/// ours to cut, or the system cannot.
#[cfg(unix)]
pub(super) fn trim(file: &File) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    let found = file.metadata().ok()?;
    if !found.is_file() || found.nlink() > 0 {
        return None;
    }
    cut(file, found.len())
}

/// Cuts the middle out of a file of this size if that is too much.
pub(super) fn cut(file: &File, size: u64) -> Option<u64> {
    #[cfg(target_os = "linux")]
    if size > LIMIT {
        use rustix::fs::{FallocateFlags, fallocate};
        const BLOCK: u64 = 1 << 16;
        let length = (size - LIMIT).next_multiple_of(BLOCK) - BLOCK;
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        if length > 0 {
            fallocate(file, flags, HALF, length).ok()?;
        }
    }
    let _ = file;
    Some(size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn the_tail_is_the_last_lines_and_harmless() {
        let output = Output::captured().unwrap();
        assert_eq!(output.tail(), "");
        let mut writer = output.writer().unwrap();
        for line in 1..=1000 {
            writeln!(writer, "line {line}").unwrap();
        }
        write!(writer, "\x1b[31mr\x08ed\n\u{fffd}end").unwrap();
        let tail = output.tail();
        assert_eq!(tail.lines().count(), 20);
        assert!(
            tail.ends_with("line 1000\nr\u{fffd}ed\n\u{fffd}end"),
            "{tail}"
        );
        // Reading has not moved where the server writes.
        writeln!(writer, " of it").unwrap();
        assert!(output.tail().ends_with("end of it"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn of_a_long_output_the_middle_is_cut_out_and_said_so() {
        use std::os::unix::fs::MetadataExt;
        let output = Output::captured().unwrap();
        let mut writer = output.writer().unwrap();
        let line = [b'x'; 1023];
        for nth in 0..100 * 1024 {
            if nth % 1024 == 0 {
                trim(&writer).unwrap();
            }
            writer.write_all(&line).unwrap();
            writer.write_all(b"\n").unwrap();
        }
        writeln!(writer, "the end").unwrap();
        trim(&writer).unwrap();
        let kept = writer.metadata().unwrap().blocks() * 512;
        assert!(kept <= LIMIT + (1 << 20), "{kept} bytes are kept");
        let text = output.text(0).unwrap();
        assert!(text.ends_with("x\nthe end\n"));
        assert_eq!(text.matches("bytes were cut out here]").count(), 1);
        assert!(!text.contains('\0'));
    }
}
