//! Messages on stderr while a caller waits.

use std::io::{self, Write};
use std::time::Duration;

use super::target::Target;
use crate::text::Seconds;
use crate::wait::Wait;

/// How long one and the same thing may be in the way before stderr says what it is.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// What is waited for, and for how long yet.
pub(super) fn say(what: &str, target: &Target<'_>, wait: &Wait) {
    let (waited, limit) = (Seconds(wait.elapsed()), Seconds(wait.limit()));
    let variable = match target.ask.timeout {
        Some(_) => "",
        None => " (`PORT_FOR_TIMEOUT`)",
    };
    tell(&format!(
        "{what}; waiting, {waited} so far of at most {limit}{variable}"
    ));
}

pub(super) fn tell(message: &str) {
    // Not `eprintln!`, which a test's output capture would keep back until the wait is over, and in one piece, as other
    // waiters may write to the same terminal. A closed stderr is no reason to fail.
    let _ = io::stderr().write_all(format!("port-for: {message}\n").as_bytes());
}
