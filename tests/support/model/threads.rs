//! Threads that do what they are told: a call that waits for its own thread is known by its thread.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;

use super::steps::{THREADS, Thread};
use crate::support::PATIENCE;

#[derive(Debug)]
pub struct Threads(Vec<mpsc::Sender<Job>>);

type Job = Box<dyn FnOnce() + Send>;

impl Threads {
    pub fn start() -> Self {
        let start = |_| {
            let (sender, jobs) = mpsc::channel::<Job>();
            thread::spawn(move || jobs.into_iter().for_each(|job| job()));
            sender
        };
        Self((0..THREADS).map(start).collect())
    }

    /// None when it takes too long; no call waits for longer than a second.
    pub fn run<T: Send + 'static>(
        &self,
        nth: Thread,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (sender, done) = mpsc::channel();
        let job = Box::new(move || sender.send(job()).unwrap());
        self.0[nth].send(job).unwrap();
        match done.recv_timeout(PATIENCE) {
            Ok(done) => Some(done),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => panic!("the call panicked"),
        }
    }
}
