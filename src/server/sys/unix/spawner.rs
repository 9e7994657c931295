//! The thread that starts servers that have no guardian.
//!
//! On Linux a child that wants to hear of its parent's death hears of that of the thread that started it, and a test's
//! thread ends with the test, while a server may be in a static.

use std::io;
use std::process::{Child, Command};

/// Runs the command from a thread that lives as long as this process.
#[cfg(target_os = "linux")]
pub(super) fn spawn(command: &mut Command) -> io::Result<Child> {
    use std::sync::mpsc::{self, Sender};
    use std::sync::{Mutex, PoisonError};
    use std::{process, thread};

    type Job = (Command, Sender<(Command, io::Result<Child>)>);

    /// With the process that the thread is of: a forked child has the sender, but no such thread.
    static SPAWNER: Mutex<Option<(u32, Sender<Job>)>> = Mutex::new(None);

    fn jobs() -> io::Result<Sender<Job>> {
        let mut spawner = SPAWNER.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((process, jobs)) = &*spawner
            && *process == process::id()
        {
            return Ok(jobs.clone());
        }
        let (jobs, received) = mpsc::channel::<Job>();
        let thread = thread::Builder::new().name("port-for servers".to_owned());
        thread.spawn(move || {
            for (mut command, answer) in received {
                let child = command.spawn();
                // Who asked is waiting for it.
                let _ = answer.send((command, child));
            }
        })?;
        *spawner = Some((process::id(), jobs.clone()));
        Ok(jobs)
    }

    let gone = || io::Error::other("the thread that starts servers is gone");
    let (answer, answered) = mpsc::channel();
    let jobs = jobs()?;
    // Its owner gets it back below, as it was.
    let lent = std::mem::replace(command, Command::new(""));
    jobs.send((lent, answer)).map_err(|unsent| {
        *command = unsent.0.0;
        gone()
    })?;
    let (lent, child) = answered.recv().map_err(|_| gone())?;
    *command = lent;
    child
}

#[cfg(not(target_os = "linux"))]
pub(super) fn spawn(command: &mut Command) -> io::Result<Child> {
    command.spawn()
}
