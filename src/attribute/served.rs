//! Tests whose servers are started for them.

use super::param::Slot;

/// What a test has returned.
#[derive(Debug)]
pub struct Outcome<'a, T>(pub &'a T);

impl<T, E> Outcome<'_, Result<T, E>> {
    /// Of a result, it is known.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.0.is_err()
    }
}

/// Of every other type, it is not; the method above goes before this one.
pub trait NoResult {
    /// Never.
    fn has_failed(&self) -> bool {
        false
    }
}

impl<T> NoResult for Outcome<'_, T> {}

/// What the body returns, whose `return` and `?` end the body alone.
pub fn result_of<T>(body: impl FnOnce() -> T) -> T {
    body()
}

/// Tells the compiler what an async body returns.
pub fn output_of<T, F: Future<Output = T>>(body: F) -> F {
    body
}

/// Shows on stderr what the servers of a test that has failed printed last.
pub fn say_last_lines<const N: usize>(slots: [&Slot; N]) {
    for slot in slots {
        slot.say_last_lines();
    }
}
