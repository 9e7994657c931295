//! The weaker way, where no guardian can be had: a process group, and the descendants that are found by their parents.

use std::collections::HashSet;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, SystemTime};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process, kill_process_group, waitid,
    waitpid,
};

use crate::server::end::{End, Life};
use crate::server::family;
use crate::wait::Wait;

/// A server whose parent is this process. While it was not asked for its status, no other process has its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Group {
    /// The first process, which leads the group.
    first: Pid,
}

impl Group {
    /// Plenty for a killed process, unless it hangs in a device.
    const DYING: Duration = Duration::from_secs(5);

    pub(super) fn new(first: Pid) -> Self {
        Self { first }
    }

    pub(super) fn members(self) -> HashSet<u32> {
        let first = self.first.as_raw_nonzero().get().unsigned_abs();
        family::members(first, Some(first))
    }

    /// The first process's status is left where it is, and with it its id.
    pub(super) fn life(self) -> io::Result<Life> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let status = loop {
            match waitid(WaitId::Pid(self.first), options) {
                Ok(status) => break status,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        };
        let first = status.map(|status| End {
            status: wait_status(&status),
            at: SystemTime::now(),
        });
        Ok(Life {
            first,
            is_over: first.is_some() && self.members().is_empty(),
        })
    }

    pub(super) fn signal(self, signal: Signal) -> io::Result<()> {
        Ok(kill_process(self.first, signal)?)
    }

    pub(super) fn signal_all(self, signal: Signal) {
        for pid in self.members() {
            if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                // Gone already is as good.
                let _ = kill_process(pid, signal);
            }
        }
    }

    /// Kills all of them, and waits until they are gone.
    pub(super) fn kill(self) {
        let mut wait = Wait::new(Self::DYING);
        loop {
            // As above.
            let _ = kill_process_group(self.first, Signal::KILL);
            self.signal_all(Signal::KILL);
            if self.members().is_empty() || !wait.pause() {
                return;
            }
        }
    }

    pub(super) fn end(self) -> io::Result<End> {
        self.kill();
        let mut wait = Wait::new(Self::DYING);
        loop {
            if let Some((_, status)) = waitpid(Some(self.first), WaitOptions::NOHANG)? {
                let (status, at) = (ExitStatus::from_raw(status.as_raw()), SystemTime::now());
                return Ok(End { status, at });
            }
            if !wait.pause() {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }
}

/// As `waitpid` would tell it.
fn wait_status(status: &rustix::process::WaitIdStatus) -> ExitStatus {
    let raw = match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => code << 8,
        (None, Some(signal)) => signal,
        (None, None) => 0,
    };
    ExitStatus::from_raw(raw)
}
