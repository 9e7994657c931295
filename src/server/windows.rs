//! A server's processes where there are no process groups: on Windows, a job, which the system ends when the last handle
//! of it is closed, even by the end of this process.

#![cfg_attr(windows, allow(unsafe_code))]

use std::collections::HashSet;
use std::convert::Infallible;
use std::io;
use std::process::{Child, Command, ExitStatus};

use super::output::Output;

/// No child gets a socket here.
pub(super) type Socket<'a> = &'a Infallible;

/// Nothing to do at the process's exit: the job sees to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Family;

/// A server's child, and the job that it and its descendants are in.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    job: job::Job,
}

impl Process {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// When it cannot be run, or what is needed for it cannot be had.
    pub(super) fn spawn(
        command: &mut Command,
        output: &Output,
        _socket: Option<Socket<'_>>,
    ) -> io::Result<Self> {
        let job = job::Job::new()?;
        command.stdout(output.writer()?).stderr(output.writer()?);
        let mut child = command.spawn()?;
        // What it starts before this moment is not in the job: the standard library cannot start it in there.
        if let Err(error) = job.assign(&child) {
            // It may have ended already, as errors go.
            let _ = child.kill();
            if !matches!(child.wait(), Ok(status) if !status.success()) {
                return Err(error);
            }
        }
        Ok(Self { child, job })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    #[expect(clippy::unused_self, reason = "as on Unix")]
    pub(super) fn family(&self) -> Family {
        Family
    }

    /// The processes that are the server.
    pub(super) fn members(&self) -> HashSet<u32> {
        let mut members = self.job.members();
        members.insert(self.id());
        members
    }

    pub(super) fn has_ended(&mut self) -> io::Result<bool> {
        self.child.try_wait().map(|status| status.is_some())
    }

    /// There is no way to ask a process without a window to end.
    pub(super) fn terminate(&mut self) -> io::Result<()> {
        self.job.kill()
    }

    /// Kills whatever of the server is alive, and tells how the child ended.
    pub(super) fn end(&mut self) -> io::Result<ExitStatus> {
        self.job.kill()?;
        self.child.wait()
    }
}

#[cfg(windows)]
mod job {
    use std::collections::HashSet;
    use std::io;
    use std::mem;
    use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
    use std::process::Child;
    use std::ptr;

    use windows_sys::Win32::System::JobObjects::{
        AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
        JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectBasicProcessIdList,
        JobObjectExtendedLimitInformation, QueryInformationJobObject, SetInformationJobObject,
        TerminateJobObject,
    };

    /// A job object.
    #[derive(Debug)]
    pub(super) struct Job(OwnedHandle);

    /// The list that the system fills in: how many there are, how many it has written, and their ids.
    #[repr(C)]
    struct Ids {
        assigned: u32,
        listed: u32,
        ids: [usize; 256],
    }

    impl Job {
        pub(super) fn new() -> io::Result<Self> {
            // SAFETY: no attributes and no name, which is allowed; the handle is checked, and nobody else's.
            let job = unsafe {
                let handle = CreateJobObjectW(ptr::null(), ptr::null());
                if handle.is_null() {
                    return Err(io::Error::last_os_error());
                }
                Self(OwnedHandle::from_raw_handle(handle))
            };
            let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
            limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
            // SAFETY: the job is open, and the information is of the kind and size that are named.
            done(unsafe {
                SetInformationJobObject(
                    job.0.as_raw_handle(),
                    JobObjectExtendedLimitInformation,
                    ptr::from_ref(&limits).cast(),
                    size_of(&limits),
                )
            })?;
            Ok(job)
        }

        pub(super) fn assign(&self, child: &Child) -> io::Result<()> {
            // SAFETY: both handles are open.
            done(unsafe { AssignProcessToJobObject(self.0.as_raw_handle(), child.as_raw_handle()) })
        }

        pub(super) fn kill(&self) -> io::Result<()> {
            // SAFETY: the job is open.
            done(unsafe { TerminateJobObject(self.0.as_raw_handle(), 1) })
        }

        /// The first few hundred of its processes.
        pub(super) fn members(&self) -> HashSet<u32> {
            let mut ids = Ids {
                assigned: 0,
                listed: 0,
                ids: [0; 256],
            };
            // SAFETY: the job is open, and the list is laid out as the system's is, with its size. What does not fit is
            // left out.
            unsafe {
                QueryInformationJobObject(
                    self.0.as_raw_handle(),
                    JobObjectBasicProcessIdList,
                    ptr::from_mut(&mut ids).cast(),
                    size_of(&ids),
                    ptr::null_mut(),
                );
            }
            let listed = usize::try_from(ids.listed).unwrap_or_default();
            let ids = ids.ids.iter().take(listed);
            ids.filter_map(|&id| u32::try_from(id).ok()).collect()
        }
    }

    fn size_of<T>(value: &T) -> u32 {
        u32::try_from(mem::size_of_val(value)).expect("these are small")
    }

    fn done(result: i32) -> io::Result<()> {
        if result == 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    }
}

/// Neither Unix nor Windows: the child alone.
#[cfg(not(windows))]
mod job {
    use std::collections::HashSet;
    use std::io;
    use std::process::Child;

    #[derive(Debug)]
    pub(super) struct Job;

    impl Job {
        pub(super) fn new() -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(super) fn assign(&self, _child: &Child) -> io::Result<()> {
            Ok(())
        }

        pub(super) fn kill(&self) -> io::Result<()> {
            Ok(())
        }

        pub(super) fn members(&self) -> HashSet<u32> {
            HashSet::new()
        }
    }
}
