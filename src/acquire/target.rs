//! One port that is asked for, with what follows from it for the store.

use std::borrow::Cow;
use std::time::Duration;

use crate::ask::{Ask, OnBusy, Subject};
use crate::context::Context;
use crate::error::{Cause, Error};
use crate::wait::Wait;

pub(super) struct Target<'a> {
    pub(super) ask: &'a Ask,
    /// Which of the asks it is.
    pub(super) nth: usize,
    /// What the store calls the id; empty for a port without one.
    pub(super) key: Cow<'a, str>,
    pub(super) timeout: Duration,
}

/// A target and its port.
pub(super) type Place<'a> = (&'a Target<'a>, u16);

/// Checks what can be checked before the store is touched.
pub(super) fn targets<'a>(context: &Context, asks: &'a [Ask]) -> Result<Vec<Target<'a>>, Error> {
    let mut targets: Vec<Target<'a>> = Vec::with_capacity(asks.len());
    for (nth, ask) in asks.iter().enumerate() {
        let key = match &ask.subject {
            // A number that is demanded is one number for all checkouts: they take turns.
            Subject::Id(id) if ask.is_exact() => {
                context.key(id)?;
                Cow::Borrowed(id.as_str())
            }
            Subject::Id(id) => context.key(id)?,
            Subject::Port(0) => return Err(Cause::NotAPort { id: None }.into()),
            Subject::Any | Subject::Port(_) => Cow::Borrowed(""),
        };
        let is_again = |other: &Target<'_>| other.ask.subject == ask.subject;
        if ask.subject != Subject::Any && targets.iter().any(is_again) {
            return Err(Cause::Twice {
                id: ask.id().map(str::to_owned),
                port: match ask.subject {
                    Subject::Port(port) => Some(port),
                    Subject::Id(_) | Subject::Any => None,
                },
            }
            .into());
        }
        targets.push(Target {
            ask,
            nth,
            key,
            timeout: ask.timeout.unwrap_or(context.config.timeout),
        });
    }
    Ok(targets)
}

pub(super) fn longest(limits: impl Iterator<Item = Duration>) -> Duration {
    limits.max().unwrap_or_default()
}

impl Target<'_> {
    /// What the store calls the id, if there is one.
    pub(super) fn key(&self) -> Option<&str> {
        self.ask.id().map(|_| &*self.key)
    }

    pub(super) fn limit(&self) -> Duration {
        match self.ask.on_busy {
            OnBusy::Fail => Wait::GLANCE,
            OnBusy::Wait | OnBusy::Move | OnBusy::Reap => self.timeout.max(Wait::GLANCE),
        }
    }

    /// What to do when the wait was too short.
    pub(super) fn advice_to_wait(&self) -> &'static str {
        match self.ask.on_busy {
            OnBusy::Fail => "let it end, or ask with another `on_busy` to wait for it",
            _ if self.ask.timeout.is_some() => "let it end, or ask with a longer timeout",
            _ => "let it end, or wait longer with `PORT_FOR_TIMEOUT` (seconds)",
        }
    }
}
