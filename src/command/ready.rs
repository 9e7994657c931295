//! When a server is ready, as the command line says it.

use crate::server::{Ready, Signal};

use super::words::split;

/// The kinds, for messages and `--help`.
const KINDS: &str = "listening, http:/PATH, line:TEXT, command:CMD";

/// One condition: `listening`, `http:/health`, `line:ready`, `command:pg_isready -p {port}`.
///
/// # Errors
///
/// A sentence about what is wrong with it.
pub fn parse_ready(text: &str) -> Result<Ready, String> {
    let (kind, value) = text.split_once(':').unwrap_or((text, ""));
    match kind {
        "listening" if value.is_empty() => Ok(Ready::listening()),
        "http" if value.starts_with('/') => Ok(Ready::http(value)),
        "http" => Err(format!("{text:?} has no path: write http:/PATH")),
        "line" if !value.is_empty() => Ok(Ready::line(value)),
        "line" => Err("line: has no text: write line:TEXT".to_owned()),
        "command" => {
            let words = split(value).map_err(|what| format!("{text:?}: {what}"))?;
            Ok(Ready::command(&words[0], &words[1..]))
        }
        _ => Err(format!("{text:?} is none of {KINDS}")),
    }
}

/// The signal with this name: `TERM`, or `SIGTERM`.
///
/// # Errors
///
/// A sentence with the names that there are.
pub fn parse_signal(text: &str) -> Result<Signal, String> {
    let name = text.to_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    Signal::named(name).ok_or_else(|| {
        format!(
            "{text:?} is none of {}",
            Signal::names().collect::<Vec<_>>().join(", ")
        )
    })
}

/// The names of the signals.
#[must_use]
pub fn signals() -> Vec<&'static str> {
    Signal::names().collect()
}

/// Whether what the server prints is looked at.
#[must_use]
pub fn looks_for_a_line(ready: &Ready) -> bool {
    ready.looks_for_a_line()
}

/// All conditions together; without any, at once.
pub fn all_of(conditions: &[Ready]) -> Ready {
    let none = Ready::at_once();
    conditions.iter().cloned().fold(none, Ready::and)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_condition_is_said_with_those_that_there_are() {
        for (text, said) in [
            ("lisening", "none of listening"),
            ("listening:1", "none of listening"),
            ("http:health", "http:/PATH"),
            ("line:", "line:TEXT"),
            ("command:", "it is empty"),
            ("command:'x", "quote"),
        ] {
            let error = parse_ready(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
        for text in [
            "listening",
            "http:/",
            "line:a: b",
            "command:pg_isready -p {port}",
        ] {
            assert!(parse_ready(text).is_ok(), "{text}");
        }
        assert_eq!(parse_signal("sigint"), Ok(Signal::Int));
        assert!(parse_signal("STOP").unwrap_err().contains("TERM, INT"));
    }
}
