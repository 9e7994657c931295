//! A child of this process, whoever else asks for its status.

#[cfg(target_os = "linux")]
use std::os::fd::{AsFd, OwnedFd};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
#[cfg(target_os = "linux")]
use rustix::process::{PidfdFlags, pidfd_open};

/// A child of this process.
#[derive(Debug)]
pub(super) struct Child {
    pid: Pid,
    /// Once another part of this program has asked for its status, its number may be another process's.
    #[cfg(target_os = "linux")]
    handle: Option<OwnedFd>,
}

impl Child {
    pub(super) fn new(pid: Pid) -> Self {
        Self {
            pid,
            #[cfg(target_os = "linux")]
            handle: pidfd_open(pid, PidfdFlags::empty()).ok(),
        }
    }

    #[cfg(target_os = "linux")]
    pub(super) fn with_handle(pid: Pid, handle: OwnedFd) -> Self {
        let handle = Some(handle);
        Self { pid, handle }
    }

    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// Asks for the status, which is of no interest. Waits until it has ended.
    pub(super) fn reap(&self) {
        while let Err(rustix::io::Errno::INTR) = waitid(self.wait_id(), WaitIdOptions::EXITED) {}
    }

    fn wait_id(&self) -> WaitId<'_> {
        #[cfg(target_os = "linux")]
        if let Some(handle) = &self.handle {
            return WaitId::PidFd(handle.as_fd());
        }
        WaitId::Pid(self.pid)
    }
}
