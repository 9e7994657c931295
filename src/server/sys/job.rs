//! Job objects: a process and its descendants, which the system ends when the last handle of the job is closed, even
//! by the end of this process.

#![allow(unsafe_code)]

use std::collections::HashSet;
use std::io;
use std::mem;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::process::{Child, Command};
use std::ptr;

use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectBasicProcessIdList,
    JobObjectExtendedLimitInformation, QueryInformationJobObject, SetInformationJobObject,
    TerminateJobObject,
};

/// A job object.
#[derive(Debug)]
pub(crate) struct Job(OwnedHandle);

/// The list that the system fills in: how many there are, how many it has written, and their ids.
#[repr(C)]
struct Ids {
    assigned: u32,
    listed: u32,
    ids: [usize; 256],
}

impl Job {
    /// Runs the command in a job of its own.
    ///
    /// # Errors
    ///
    /// When it cannot be run, or what is needed for it cannot be had.
    pub(crate) fn spawn(command: &mut Command) -> io::Result<(Child, Self)> {
        let job = Self::new()?;
        let mut child = command.spawn()?;
        // What it starts before this moment is not in the job: the standard library cannot start it in there.
        if let Err(error) = job.assign(&child)
            && child.try_wait()?.is_none()
        {
            child.kill()?;
            child.wait()?;
            return Err(error);
        }
        Ok((child, job))
    }

    fn new() -> io::Result<Self> {
        // SAFETY: no attributes and no name, which is allowed; the handle is checked, and is ours alone.
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

    fn assign(&self, child: &Child) -> io::Result<()> {
        // SAFETY: both handles are open.
        done(unsafe { AssignProcessToJobObject(self.0.as_raw_handle(), child.as_raw_handle()) })
    }

    /// Kills whatever of it is alive.
    pub(crate) fn kill(&self) -> io::Result<()> {
        // SAFETY: the job is open.
        done(unsafe { TerminateJobObject(self.0.as_raw_handle(), 1) })
    }

    /// The first few hundred of its processes.
    pub(crate) fn members(&self) -> HashSet<u32> {
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

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::process::Stdio;

    use super::*;

    /// A program that starts another one, which would wait for ever. What they print ends when both have.
    fn parent_and_child() -> (Child, Job) {
        let mut parent = Command::new("cmd");
        parent.args(["/c", "cmd /k echo up"]);
        parent.stdin(Stdio::piped()).stdout(Stdio::piped());
        let (mut parent, job) = Job::spawn(&mut parent).unwrap();
        let mut up = [0; 2];
        parent.stdout.as_mut().unwrap().read_exact(&mut up).unwrap();
        (parent, job)
    }

    #[test]
    fn a_job_has_the_child_and_its_children() {
        let (parent, job) = parent_and_child();
        let members = job.members();
        assert!(
            members.contains(&parent.id()) && members.len() >= 2,
            "{members:?}"
        );
    }

    #[test]
    fn a_job_that_is_killed_or_closed_is_the_end_of_all_in_it() {
        for closes in [false, true] {
            let (mut parent, job) = parent_and_child();
            if closes {
                drop(job);
            } else {
                job.kill().unwrap();
            }
            parent
                .stdout
                .as_mut()
                .unwrap()
                .read_to_end(&mut Vec::new())
                .unwrap();
            parent.wait().unwrap();
        }
    }
}
