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

/// Whether it is so before the time is up.
pub fn within(limit: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    while !is_so() {
        if Instant::now() > deadline {
            return false;
        }
        // Between two looks; no event tells of other processes.
        thread::sleep(Duration::from_millis(1));
    }
    true
}
