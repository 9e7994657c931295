//! Waiting with an end: a deadline and growing pauses.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

mod alarm;

/// A wait that began when it was made.
///
/// Pauses grow from [`FIRST`](Self::FIRST) to [`LONGEST`](Self::LONGEST): short enough that a released port is taken
/// up at once, long enough that sixteen waiters do not keep a core busy.
#[derive(Debug)]
pub(crate) struct Wait {
    started: Instant,
    limit: Duration,
    next: Duration,
    longest: Duration,
    /// By how much each pause is longer than the one before.
    growth: f64,
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
            longest: Self::LONGEST,
            growth: 2.0,
            waiter,
        }
    }

    /// For what takes a while, and costs something to look at: a server's start or end. It is seen late by a quarter of the
    /// time that it took, and by five milliseconds at most.
    pub(crate) fn patient(waiter: Waiter, limit: Duration) -> Self {
        Self {
            next: Duration::from_micros(400),
            longest: Duration::from_millis(5),
            growth: 1.25,
            ..Self::of(waiter, limit)
        }
    }

    /// The deadline of callers that do not wait: longer than another's glance at a lease or a probe of a port takes.
    pub(crate) fn glance() -> Self {
        Self::new(Self::GLANCE)
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn left(&self) -> Duration {
        self.limit.saturating_sub(self.elapsed())
    }

    /// Whether the time is up.
    pub(crate) fn is_over(&self) -> bool {
        self.left().is_zero()
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
        // Between half of it and all: waiters that began together do not look at the same moments, and so one of
        // them looks soon, whenever the port is let go.
        let moment = self.next.mul_f64(0.5 + fastrand::f64() / 2.0).min(left);
        self.next = self.next.mul_f64(self.growth).min(self.longest);
        (!left.is_zero()).then_some(moment)
    }
}

/// Sleeps, and lets the task's thread do other things meanwhile, whatever runs it.
///
/// Not by tokio's timer, which a runtime may be without, and a test may stop; nor on its threads for blocking calls, which
/// others may keep busy for longer than the wait is to last.
async fn sleep_elsewhere(moment: Duration) {
    let until = Instant::now() + moment;
    let mut is_set = false;
    poll_fn(|context| {
        if is_set && Instant::now() >= until {
            return Poll::Ready(());
        }
        // Each time anew: the task may have moved to another waker.
        is_set = true;
        if alarm::set(until, context.waker().clone()) {
            return Poll::Pending;
        }
        // No thread is left.
        thread::sleep(moment);
        Poll::Ready(())
    })
    .await;
}

/// The outcome of a future that never waits for a wake-up: with [`Waiter::Thread`], every wait is a sleep.
pub(crate) fn without_pending<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => unreachable!("a thread sleeps"),
    }
}
