//! Waiting with an end: a deadline and growing pauses.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
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
    waiter: Waiter,
}

/// Who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiter {
    /// A thread, which sleeps.
    Thread,
    /// An async test that has not begun: its runtime goes on, but nothing of the test does.
    Test,
    /// A part of a task: the rest of the task may go on.
    #[cfg_attr(not(feature = "tokio"), allow(dead_code))]
    Future,
}

impl Wait {
    pub(crate) const GLANCE: Duration = Duration::from_millis(10);
    const FIRST: Duration = Duration::from_micros(50);
    const LONGEST: Duration = Duration::from_millis(2);

    pub(crate) fn new(limit: Duration) -> Self {
        Self::of(Waiter::Thread, limit)
    }

    pub(crate) fn of(waiter: Waiter, limit: Duration) -> Self {
        Self {
            started: Instant::now(),
            limit,
            next: Self::FIRST,
            waiter,
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

    /// How long a call that stops its thread may take.
    pub(crate) fn left_for_blocking(&self) -> Duration {
        match self.waiter {
            Waiter::Thread => self.left(),
            Waiter::Test | Waiter::Future => Duration::ZERO,
        }
    }

    /// Whether the waiter, as long as it waits, can do nothing that would end the wait.
    pub(crate) fn is_all_the_waiter_does(&self) -> bool {
        self.waiter != Waiter::Future
    }

    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// Sleeps for a moment; false, without sleeping, when the time is up.
    pub(crate) fn pause(&mut self) -> bool {
        self.moment().map(thread::sleep).is_some()
    }

    /// As [`pause`](Self::pause), but a task lets others have its thread meanwhile.
    pub(crate) async fn rest(&mut self) -> bool {
        if self.waiter == Waiter::Thread {
            return self.pause();
        }
        let Some(moment) = self.moment() else {
            return false;
        };
        sleep_elsewhere(moment).await;
        true
    }

    /// How long to sleep now; none when the time is up.
    fn moment(&mut self) -> Option<Duration> {
        let left = self.left();
        let moment = self.next.min(left);
        self.next = (self.next * 2).min(Self::LONGEST);
        (!left.is_zero()).then_some(moment)
    }
}

/// Sleeps on one of the runtime's threads for blocking calls.
///
/// Only sleeps there: a port got by a thread whose waiter has gone away would be nobody's to drop, and a runtime does
/// not end before its blocking calls do. And not by tokio's timer, which a runtime may be without, and a test may stop.
#[cfg(feature = "tokio")]
async fn sleep_elsewhere(moment: Duration) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current()
        && runtime
            .spawn_blocking(move || thread::sleep(moment))
            .await
            .is_ok()
    {
        return;
    }
    // Another runtime, or one that is shutting down.
    thread::sleep(moment);
}

/// Without the feature `tokio` no runtime is known that could do something else.
#[cfg(not(feature = "tokio"))]
#[expect(clippy::unused_async, reason = "as its twin")]
async fn sleep_elsewhere(moment: Duration) {
    thread::sleep(moment);
}

/// The outcome of a future that never waits for a wake-up: with [`Waiter::Thread`], every wait is a sleep.
pub(crate) fn without_pending<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => unreachable!("a thread sleeps"),
    }
}
