//! Waiting with an end: a deadline and growing pauses.

use std::thread;
use std::time::{Duration, Instant};

/// A wait that began when it was made.
///
/// Pauses grow from [`FIRST`](Self::FIRST) to [`LONGEST`](Self::LONGEST): short enough that a released port is taken
/// up at once, long enough that sixteen waiters do not keep a core busy.
#[derive(Debug)]
pub(crate) struct Wait {
    started: Instant,
    limit: Duration,
    next: Duration,
}

impl Wait {
    pub(crate) const GLANCE: Duration = Duration::from_millis(10);
    const FIRST: Duration = Duration::from_micros(50);
    const LONGEST: Duration = Duration::from_millis(2);

    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            started: Instant::now(),
            limit,
            next: Self::FIRST,
        }
    }

    /// A wait of those who do not want to wait: longer than another's glance at a lease or a probe of a port takes.
    pub(crate) fn glance() -> Self {
        Self::new(Self::GLANCE)
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn left(&self) -> Duration {
        self.limit.saturating_sub(self.elapsed())
    }

    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// Sleeps for a moment; false, without sleeping, when the time is up.
    pub(crate) fn pause(&mut self) -> bool {
        let left = self.left();
        if left.is_zero() {
            return false;
        }
        // Between half of it and all: those who began to wait together do not look at the same moments, and so one of
        // them looks soon, whenever the port is let go.
        let moment = self.next.mul_f64(0.5 + fastrand::f64() / 2.0);
        thread::sleep(moment.min(left));
        self.next = (self.next * 2).min(Self::LONGEST);
        true
    }
}
