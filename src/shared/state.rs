//! What is published about a shared server.

use std::io::Read;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

use super::place::Place;
use crate::error::{Error, ErrorKind};
use crate::files;

/// The version of the file's format.
const VERSION: u64 = 1;

/// A start of a server, and how far it has come. Written under the gate, read without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    /// What the store calls the id.
    pub(super) key: String,
    /// A text that no other start has.
    pub(super) start: String,
    /// What the recipe comes down to.
    pub(super) fingerprint: Value,
    pub(super) phase: Phase,
    pub(super) keeper: Option<u32>,
    /// The longest that a user has asked for.
    pub(super) linger: Duration,
    pub(super) end: End,
    /// How the start before this one failed, for users that have not heard of it yet.
    pub(super) failed_before: Option<(String, Failure)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    Starting,
    Ready {
        server: u32,
        addr: SocketAddr,
    },
    Failed(Failure),
    /// It is being stopped.
    Ending,
    /// The server has ended by itself, in this manner.
    Ended(String),
}

/// An error, to be had by several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) kind: ErrorKind,
    pub(super) message: String,
}

/// When it is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    AfterLinger,
    /// As soon as nothing uses it.
    Unused,
    /// Now.
    Now,
}

impl State {
    /// A new start.
    pub(super) fn starting(key: &str, fingerprint: Value, linger: Duration) -> Self {
        Self {
            key: key.to_owned(),
            start: format!("{}-{:016x}", std::process::id(), fastrand::u64(..)),
            fingerprint,
            phase: Phase::Starting,
            keeper: None,
            linger,
            end: End::AfterLinger,
            failed_before: None,
        }
    }

    /// None if there is no file, or one that this version has not written. It is made anew then.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or is not to be trusted.
    pub(super) fn read(place: &Place) -> Result<Option<Self>, Error> {
        const ACTION: &str = "read the state of the shared server";
        let path = place.state();
        let Some((mut file, _)) = files::open(ACTION, &path, place.access())? else {
            return Ok(None);
        };
        let mut text = Vec::new();
        file.read_to_end(&mut text)
            .map_err(|error| files::failed(ACTION, &path, error))?;
        let value = serde_json::from_slice(&text).unwrap_or(Value::Null);
        // Another key may have the same hash, once in a lifetime of the universe.
        Ok(Self::parse(&value).filter(|state| state.key == place.key()))
    }

    /// The caller holds the gate.
    pub(super) fn write(&self, place: &Place) -> Result<(), Error> {
        let text = self.to_json().to_string();
        let path = place.state();
        files::replace(&path, text.as_bytes(), place.access())
            .map(drop)
            .map_err(|error| files::failed("write the state of the shared server", &path, error))
    }

    pub(super) fn to_json(&self) -> Value {
        let failure = |Failure { kind, message }: &Failure| json!({ "kind": format!("{kind:?}"), "message": message });
        let phase = match &self.phase {
            Phase::Starting => json!({ "is": "starting" }),
            Phase::Ready { server, addr } => {
                json!({ "is": "ready", "server": server, "addr": addr.to_string() })
            }
            Phase::Failed(how) => json!({ "is": "failed", "how": failure(how) }),
            Phase::Ending => json!({ "is": "ending" }),
            Phase::Ended(how) => json!({ "is": "ended", "how": how }),
        };
        let before = self.failed_before.as_ref();
        json!({
            "version": VERSION,
            "key": self.key,
            "start": self.start,
            "fingerprint": self.fingerprint,
            "phase": phase,
            "keeper": self.keeper,
            "linger_ms": u64::try_from(self.linger.as_millis()).unwrap_or(u64::MAX),
            "end": match self.end {
                End::AfterLinger => "after linger",
                End::Unused => "unused",
                End::Now => "now",
            },
            "failed_before": before.map(|(start, how)| json!({ "start": start, "how": failure(how) })),
        })
    }

    pub(super) fn parse(value: &Value) -> Option<Self> {
        if value["version"].as_u64() != Some(VERSION) {
            return None;
        }
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let pid = |value: &Value| u32::try_from(value.as_u64()?).ok();
        let failure = |value: &Value| {
            Some(Failure {
                kind: ErrorKind::named(value["kind"].as_str()?)?,
                message: text(&value["message"])?,
            })
        };
        let phase = &value["phase"];
        let before = &value["failed_before"];
        Some(Self {
            key: text(&value["key"])?,
            start: text(&value["start"])?,
            fingerprint: value["fingerprint"].clone(),
            phase: match phase["is"].as_str()? {
                "starting" => Phase::Starting,
                "ready" => Phase::Ready {
                    server: pid(&phase["server"])?,
                    addr: phase["addr"].as_str()?.parse().ok()?,
                },
                "failed" => Phase::Failed(failure(&phase["how"])?),
                "ending" => Phase::Ending,
                "ended" => Phase::Ended(text(&phase["how"])?),
                _ => return None,
            },
            keeper: pid(&value["keeper"]),
            linger: Duration::from_millis(value["linger_ms"].as_u64()?),
            end: match value["end"].as_str()? {
                "after linger" => End::AfterLinger,
                "unused" => End::Unused,
                "now" => End::Now,
                _ => return None,
            },
            failed_before: text(&before["start"]).zip(failure(&before["how"])),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_as_it_was_written_and_nothing_else_is_one() {
        let failure = Failure {
            kind: ErrorKind::Exited,
            message: "gone".to_owned(),
        };
        for phase in [
            Phase::Starting,
            Phase::Ready {
                server: 7,
                addr: ([127, 0, 0, 1], 80).into(),
            },
            Phase::Failed(failure.clone()),
            Phase::Ending,
            Phase::Ended("so".to_owned()),
        ] {
            let state = State {
                key: "a".to_owned(),
                start: "1".to_owned(),
                fingerprint: json!({ "args": [] }),
                phase,
                keeper: Some(4),
                linger: Duration::from_millis(500),
                end: End::Unused,
                failed_before: Some(("0".to_owned(), failure.clone())),
            };
            let mut value = state.to_json();
            assert_eq!(State::parse(&value).as_ref(), Some(&state));
            value["version"] = json!(2);
            assert_eq!(State::parse(&value), None);
        }
        for text in [
            "null",
            "{}",
            "[]",
            r#"{"version":1}"#,
            r#"{"version":1,"key":"a","phase":7}"#,
        ] {
            assert_eq!(
                State::parse(&serde_json::from_str(text).unwrap()),
                None,
                "{text}"
            );
        }
    }
}
