//! What a server printed, in an error.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A text that knows whether it was shown: what an `unwrap` has printed need not be printed again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Printed {
    text: Arc<str>,
    is_seen: Arc<AtomicBool>,
}

impl Printed {
    pub(crate) fn new(text: String) -> Self {
        Self {
            text: text.into(),
            is_seen: Arc::default(),
        }
    }

    pub(crate) fn mark_seen(&self) {
        self.is_seen.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_seen(&self) -> bool {
        self.is_seen.load(Ordering::Relaxed)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

impl fmt::Display for Printed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
