//! What a guard says when a call is not possible.

use std::io;

use super::PortGuard;
use super::hold::{Refused, State};
use crate::error::{Cause, Error};
use crate::marker;
use crate::who::Occupants;

impl PortGuard {
    pub(super) fn not_rearmed(&self, state: State, refused: Refused) -> Error {
        let state = state.describe();
        let state = if refused.is_taken() {
            let port = refused.addr.port();
            let occupants = Occupants::of(refused.protocol, port).beside_the_guard();
            let companion = if port == self.port() {
                String::new()
            } else {
                format!("of its companion {port}, ")
            };
            format!("{state}, and {companion}{occupants}")
        } else {
            format!("{state}, and the system refuses: {}", refused.source)
        };
        let advice = "stop that server or close that socket first";
        self.handoff("hold the port again", state, advice, Some(refused.source))
    }

    pub(crate) fn wrong_state(
        &self,
        wanted: &'static str,
        state: State,
        advice: &'static str,
    ) -> Error {
        self.handoff(wanted, state.describe().to_owned(), advice, None)
    }

    /// The port, or a companion of it, cannot be marked.
    pub(super) fn marked(&self, wanted: &'static str, (port, error): (u16, io::Error)) -> Error {
        let by = marker::vacater_of(port).map_or_else(String::new, |by| format!(": {by}"));
        self.failed(
            wanted,
            &format!("another process marks port {port} as its own{by}"),
            error,
        )
    }

    pub(super) fn failed(&self, wanted: &'static str, state: &str, error: io::Error) -> Error {
        let state = format!("{state}: {error}");
        self.handoff(wanted, state, "drop the guard and ask again", Some(error))
    }

    pub(crate) fn handoff(
        &self,
        wanted: &'static str,
        state: String,
        advice: &'static str,
        source: Option<io::Error>,
    ) -> Error {
        Cause::Handoff {
            wanted,
            id: self.id.clone(),
            port: self.port(),
            state,
            advice,
            source,
        }
        .into()
    }
}
