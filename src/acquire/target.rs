//! One port that is asked for, with what follows from it for the store.

use std::borrow::Cow;
use std::time::Duration;

use crate::ask::{Ask, OnBusy, Subject};
use crate::context::Context;
use crate::error::{Cause, Error, ErrorKind};
use crate::group::member;
use crate::wait::Wait;

pub(super) struct Target<'a> {
    pub(super) ask: &'a Ask,
    /// Which of the asks it is.
    pub(super) nth: usize,
    /// What the store calls the id; empty for a port without one.
    pub(super) key: Cow<'a, str>,
    pub(super) timeout: Duration,
    /// Whether a number is enough: then of a group, the first one.
    pub(super) wants_number: bool,
}

/// A port of a target.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) target: &'a Target<'a>,
    /// How far above the target's first port it is.
    pub(super) offset: u16,
    pub(super) port: u16,
}

impl<'a> Place<'a> {
    /// What the store calls it, if anything.
    pub(super) fn key(&self) -> Option<Cow<'a, str>> {
        (self.target.key()).map(|key| member(key, self.offset))
    }

    /// What people call it.
    pub(super) fn name(&self) -> Option<Cow<'a, str>> {
        (self.target.ask.id()).map(|id| member(id, self.offset))
    }
}

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
        if let Some(fault) = ask.group.fault() {
            return Err(Cause::Group {
                kind: ErrorKind::InvalidRequest,
                id: ask.id().map(str::to_owned),
                what: match ask.id() {
                    Some(id) => format!("cannot ask for such ports for `{id}`: {fault}"),
                    None => format!("cannot ask for such ports: {fault}"),
                },
                release: None,
            }
            .into());
        }
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
            wants_number: false,
        });
    }
    Ok(targets)
}

pub(super) fn longest(limits: impl Iterator<Item = Duration>) -> Duration {
    limits.max().unwrap_or_default()
}

impl<'a> Target<'a> {
    /// Adds all of its ports, from the first one on.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when one would be above 65535.
    pub(super) fn add_places(
        &'a self,
        first: u16,
        places: &mut Vec<Place<'a>>,
    ) -> Result<(), Error> {
        if self.ask.group.is_single() {
            places.push(Place {
                target: self,
                offset: 0,
                port: first,
            });
            return Ok(());
        }
        for offset in self.ask.group.offsets() {
            let port = first
                .checked_add(offset)
                .ok_or_else(|| self.above(first, offset))?;
            places.push(Place {
                target: self,
                offset,
                port,
            });
        }
        Ok(())
    }

    /// The port so far above the first one does not exist.
    pub(super) fn above(&self, first: u16, offset: u16) -> Error {
        Cause::Group {
            kind: ErrorKind::InvalidRequest,
            what: format!(
                "cannot have {} from port {first} on: {first} and {offset} is above 65535; ask for a lower port",
                self.ask.group
            ),
            id: self.ask.id().map(str::to_owned),
            release: None,
        }
        .into()
    }

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
