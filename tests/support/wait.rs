//! Waiting for what can be seen.

use std::thread;
use std::time::{Duration, Instant};

/// Plenty for a server to start, on a machine that does other things too.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Looks until it is so; panics when that takes too long.
#[track_caller]
pub fn eventually(what: &str, is_so: impl FnMut() -> bool) {
    assert!(within(PATIENCE, is_so), "never seen: {what}");
}

/// Whether it is so before the time is up. Without an event that tells of other processes, it looks again and again:
/// at once in the first millisecond, then once a millisecond.
pub fn within(limit: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    const PAUSE: Duration = Duration::from_millis(1);
    let started = Instant::now();
    while !is_so() {
        match started.elapsed() {
            elapsed if elapsed > limit => return false,
            elapsed if elapsed < PAUSE => thread::yield_now(),
            _ => thread::sleep(PAUSE),
        }
    }
    true
}
