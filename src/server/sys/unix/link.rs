//! What a test and the guardian of its server say to each other, over a pair of sockets.
//!
//! The guardian tells how the server's first process ended, and the end of its stream is the end of all. No process id
//! of the test's own is trusted, so a global `waitpid(-1)`, an ignored `SIGCHLD` or a reused id does no harm.

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::server::end::{End, Life};

/// A word to the guardian: what to do, and by which signal.
pub(super) const WORD: usize = 2;
/// Signals the first process; once that has ended, the processes that it left to the guardian.
pub(super) const SIGNAL: u8 = b's';
/// Signals all of the server's processes.
pub(super) const SIGNAL_ALL: u8 = b'a';
/// The test is about to exit: what it cannot remove any more is the guardian's to remove.
pub(super) const EXIT: u8 = b'x';
/// Kills all of them. The end of the stream says the same.
pub(super) const KILL: u8 = b'k';

/// A report of the guardian's: what it is about, and a number.
pub(super) const REPORT: usize = 5;
/// The first process's id, sent before the guardian runs its own program.
pub(super) const STARTED: u8 = b'p';
/// The wait status of the first process.
pub(super) const ENDED: u8 = b'e';
/// The guardian's program cannot be run, or the server's. Nothing of the server is left.
pub(super) const FAILED: u8 = b'x';

pub(super) fn report(about: u8, number: i32) -> [u8; REPORT] {
    let [a, b, c, d] = number.to_ne_bytes();
    [about, a, b, c, d]
}

/// The test's end.
#[derive(Debug)]
pub(super) struct Link {
    stream: UnixStream,
    heard: Mutex<Heard>,
}

#[derive(Debug, Default)]
struct Heard {
    unread: Vec<u8>,
    started: Option<i32>,
    has_failed: bool,
    first: Option<End>,
    is_over: bool,
}

impl Link {
    /// Longer than it takes to kill a thousand processes on a busy machine.
    const DYING: Duration = Duration::from_secs(10);

    /// A link, and the guardian's end of it, out of the way of the standard streams: one of this process's may be closed.
    pub(super) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (stream, its) = UnixStream::pair()?;
        stream.set_nonblocking(true)?;
        let link = Self {
            stream,
            heard: Mutex::default(),
        };
        // The copy has a number from 3 on.
        Ok((link, its.try_clone()?.into()))
    }

    /// The server's first process, once it was forked.
    pub(super) fn started(&self) -> Option<i32> {
        self.hear().started
    }

    /// Whether the guardian's program, or the server's, could not be run.
    pub(super) fn has_failed(&self) -> bool {
        self.hear().has_failed
    }

    /// Waits for the first process's id; none if it could not be started.
    #[cfg(target_os = "linux")]
    pub(super) fn wait_for_start(&self) -> io::Result<Option<i32>> {
        loop {
            let heard = self.hear();
            if heard.has_failed || heard.is_over || heard.started.is_some() {
                return Ok(heard.started.filter(|_| !heard.has_failed));
            }
            drop(heard);
            self.wait_for_word(Self::DYING)?;
        }
    }

    pub(super) fn life(&self) -> Life {
        let heard = self.hear();
        Life {
            first: heard.first,
            is_over: heard.is_over,
        }
    }

    /// Takes in what the guardian has said meanwhile.
    fn hear(&self) -> MutexGuard<'_, Heard> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let mut buffer = [0; 64];
        while !heard.is_over {
            match (&self.stream).read(&mut buffer) {
                Ok(0) => heard.is_over = true,
                Ok(length) => heard.unread.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // A guardian that was killed with words unread.
                Err(_) => heard.is_over = true,
            }
        }
        while let Some((&[about, a, b, c, d], _)) = heard.unread.split_first_chunk::<REPORT>() {
            heard.unread.drain(..REPORT);
            let number = i32::from_ne_bytes([a, b, c, d]);
            match about {
                STARTED => heard.started = Some(number),
                ENDED => heard.first = Some(Self::end(number)),
                _ => heard.has_failed = true,
            }
        }
        if heard.is_over && heard.first.is_none() {
            // The guardian was killed, and the death signal took the first process along.
            heard.first = Some(Self::end(libc::SIGKILL));
        }
        heard
    }

    fn end(status: i32) -> End {
        End {
            status: ExitStatus::from_raw(status),
            at: SystemTime::now(),
        }
    }

    /// Says a word to the guardian.
    ///
    /// # Errors
    ///
    /// When it has ended, and so has the server.
    pub(super) fn say(&self, what: u8, signal: i32) -> io::Result<()> {
        let signal = u8::try_from(signal).expect("signals are small numbers");
        (&self.stream).write_all(&[what, signal])
    }

    /// Has everything of the server killed, and waits until it is gone.
    ///
    /// # Errors
    ///
    /// When something is still alive after [`DYING`](Self::DYING).
    pub(super) fn kill(&self) -> io::Result<End> {
        // Said in vain to a guardian that has ended, which is the end of the server too.
        let _ = self.say(KILL, 0);
        let began = Instant::now();
        loop {
            let life = self.life();
            match life.first {
                Some(first) if life.is_over => return Ok(first),
                _ => self.wait_for_word(Self::DYING.saturating_sub(began.elapsed()))?,
            }
        }
    }

    /// Blocks until the guardian says something, or ends.
    fn wait_for_word(&self, limit: Duration) -> io::Result<()> {
        let limit = Timespec::try_from(limit).map_err(io::Error::other)?;
        let mut stream = [PollFd::new(&self.stream, PollFlags::IN)];
        match poll(&mut stream, Some(&limit)) {
            Ok(0) => Err(io::ErrorKind::TimedOut.into()),
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
