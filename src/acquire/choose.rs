//! Choosing the ports of an id that has none, or not all.

use std::collections::HashMap;

use super::known::{Known, check_exact, conflict};
use super::pool::{exhausted, largest, never_companions, pool, warn_if_ephemeral};
use super::refused::{UNPRIVILEGED, at_localhost, refused};
use super::target::Target;
use crate::ask::Preference;
use crate::context::Context;
use crate::error::{Cause, Error, ErrorKind};
use crate::group::member;
use crate::ports::{self, PortSet};
use crate::socket::Probe;
use crate::store::Transaction;

/// Why a port is none for an id, if so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    Free,
    /// Out of the question on every machine: not of the pool, or for a companion, above 65535 or one that outgoing
    /// connections get.
    Never,
    Assigned,
    Held,
    Taken,
}

/// The choice for one target, under the store's lock. What was found out about a port is not asked again.
struct Choice<'a> {
    context: &'a Context,
    change: &'a Transaction<'a>,
    target: &'a Target<'a>,
    /// How far above the first port the others are, from 0 on.
    offsets: Vec<u16>,
    pool: &'a PortSet,
    assigned: PortSet,
    ephemeral: PortSet,
    probe: Probe,
    found: HashMap<u16, Fit>,
}

/// The first port for an id that has none, or not all that are asked for: the preferred one, or the first of the id's own
/// order from which on all are free.
///
/// # Errors
///
/// When there is none, or what the id has already does not go with it.
pub(super) fn choose(
    context: &Context,
    change: &Transaction<'_>,
    target: &Target<'_>,
    known: Known,
) -> Result<u16, Error> {
    let ask = target.ask;
    if let Preference::Exact(port) = ask.preference {
        // Another id can have got it since the store was read without its lock.
        check_exact(&context.store, change.snapshot(), target, port, None)?;
        warn_if_ephemeral(port);
    }
    let mut choice = Choice::new(context, change, target);
    if let Preference::Exact(port) = ask.preference {
        choice.check_names(Some(port))?;
        choice.check_companions(&PortSet::from([port]))?;
        return Ok(port);
    }
    match choice.remembered(known)? {
        Some(port) => Ok(port),
        None => choice.first_that_fits(),
    }
}

/// Another first port than the one that the id has, from which on all are free.
///
/// # Errors
///
/// When there is none.
pub(super) fn choose_other(
    context: &Context,
    change: &Transaction<'_>,
    target: &Target<'_>,
) -> Result<u16, Error> {
    Choice::new(context, change, target).first_that_fits()
}

impl<'a> Choice<'a> {
    fn new(context: &'a Context, change: &'a Transaction<'a>, target: &'a Target<'a>) -> Self {
        let group = &target.ask.group;
        Self {
            context,
            change,
            target,
            offsets: group.offsets(),
            pool: pool(context, target.ask),
            assigned: change.snapshot().iter().map(|(_, port)| port).collect(),
            ephemeral: never_companions(target.ask),
            probe: Probe::default(),
            found: HashMap::new(),
        }
    }

    fn id(&self) -> &str {
        self.target.ask.id().unwrap_or_default()
    }

    fn first_that_fits(&mut self) -> Result<u16, Error> {
        let ask = self.target.ask;
        if let Preference::Default(port) = ask.preference
            && port >= UNPRIVILEGED
            && self.fits(port, true)? == Fit::Free
        {
            return Ok(port);
        }
        let (mut held, mut taken) = (0, 0);
        for port in ports::walk(&self.target.key) {
            match self.fits(port, false)? {
                Fit::Free => return Ok(port),
                Fit::Held => held += 1,
                Fit::Taken => taken += 1,
                Fit::Never | Fit::Assigned => {}
            }
        }
        self.check_companions(self.pool)?;
        // 0 is the offset of every port that could be the first.
        let largest = largest(ask, self.pool, |port| Ok(self.fit(port, 0)? == Fit::Free))?;
        let assigned = self.pool.intersection(&self.assigned).len();
        Err(exhausted(
            self.context,
            ask,
            [assigned, held, taken],
            largest,
        ))
    }

    /// Whether all of the group's ports could be had with this one as the first. A default port need not be of the pool.
    fn fits(&mut self, first: u16, is_default: bool) -> Result<Fit, Error> {
        for nth in 0..self.offsets.len() {
            let offset = self.offsets[nth];
            let Some(port) = first.checked_add(offset) else {
                return Ok(Fit::Never);
            };
            let is_of_block = offset < self.target.ask.group.block;
            let is_never = if is_of_block {
                !is_default && !self.pool.contains(port)
            } else {
                self.ephemeral.contains(port)
            };
            let fit = if is_never {
                Fit::Never
            } else {
                self.fit(port, offset)?
            };
            if fit != Fit::Free {
                return Ok(fit);
            }
        }
        // An assignment of another id would be read as a port of a group.
        let is_members = (self.change.snapshot().leader_at(&self.target.key, first)).is_some();
        Ok(if is_members { Fit::Assigned } else { Fit::Free })
    }

    fn fit(&mut self, port: u16, offset: u16) -> Result<Fit, Error> {
        if let Some(&found) = self.found.get(&port) {
            return Ok(found);
        }
        let fit = self.look(port, offset)?;
        if self.offsets.len() > 1 {
            self.found.insert(port, fit);
        }
        Ok(fit)
    }

    fn look(&self, port: u16, offset: u16) -> Result<Fit, Error> {
        if self.assigned.contains(port) {
            return Ok(Fit::Assigned);
        }
        let leases = self.context.store.leases();
        if let Some(holder) = leases.holder(port, self.change.access())? {
            // A guard of this very id, whose assignment was lost: with the store, or by an edit.
            let is_own = holder.key.as_deref() == Some(&*member(&self.target.key, offset));
            return Ok(if is_own { Fit::Free } else { Fit::Held });
        }
        let is_free = self
            .probe
            .can_be_bound(port)
            .map_err(|source| refused(self.target.ask.id(), at_localhost(port), source))?;
        Ok(if is_free { Fit::Free } else { Fit::Taken })
    }

    /// The first port of what the store has of the group, if what is missing can be had beside it.
    fn remembered(&mut self, known: Known) -> Result<Option<u16>, Error> {
        let first = match known {
            Known::All(port) | Known::Part(port) => Some(port),
            Known::Nothing => self.lost(),
        };
        self.check_names(first)?;
        if let Some(first) = first {
            self.check_room(first)?;
        }
        Ok(first)
    }

    /// Of an id whose own assignment was edited away, the others tell where it was. One alone may be an id of its own.
    fn lost(&self) -> Option<u16> {
        let snapshot = self.change.snapshot();
        let mut firsts = self.offsets[1..].iter().map(|&offset| {
            let port = snapshot.port_of(&member(&self.target.key, offset))?;
            port.checked_sub(offset).filter(|&first| first > 0)
        });
        let first = firsts.next()??;
        (self.offsets.len() > 2 && firsts.all(|other| other == Some(first))).then_some(first)
    }

    /// Whether what the group's ports are called is no other id's name.
    fn check_names(&self, first: Option<u16>) -> Result<(), Error> {
        let (key, store) = (&*self.target.key, &self.context.store);
        for &offset in &self.offsets[1..] {
            let name = member(key, offset);
            let Some(port) = self.change.snapshot().port_of(&name) else {
                continue;
            };
            if first.and_then(|first| first.checked_add(offset)) != Some(port) {
                let what = format!(
                    "`{}` cannot have {}: `{name}` is an id of its own in `{}`, with port {port}; take another name",
                    self.id(),
                    self.target.ask.group,
                    store.path().display()
                );
                return Err(conflict(store, self.target, what, &name));
            }
        }
        Ok(())
    }

    /// Whether the ports that the group does not have yet can be had.
    fn check_room(&mut self, first: u16) -> Result<(), Error> {
        let snapshot = self.change.snapshot();
        let (key, store) = (&*self.target.key, &self.context.store);
        for nth in 0..self.offsets.len() {
            let offset = self.offsets[nth];
            if snapshot.port_of(&member(key, offset)).is_some() {
                continue;
            }
            let fit = match first.checked_add(offset) {
                Some(port) if self.ephemeral.contains(port) => Fit::Never,
                Some(port) => self.fit(port, offset)?,
                None => Fit::Never,
            };
            if fit != Fit::Free {
                let port = u32::from(first) + u32::from(offset);
                let why = match fit {
                    Fit::Never if port > u16::MAX.into() => "there is no such port",
                    Fit::Never => "this system gives that one to outgoing connections",
                    Fit::Assigned => "which another id has",
                    Fit::Held => "which is held",
                    Fit::Taken | Fit::Free => "which is in use",
                };
                let what = format!(
                    "`{}` has port {first} in `{}`, and cannot have {} from there on: that takes port {port}, {why}; ask \
                     for the same as before",
                    self.id(),
                    store.path().display(),
                    self.target.ask.group
                );
                return Err(conflict(store, self.target, what, key));
            }
        }
        Ok(())
    }

    /// Whether for each companion one of these first ports would do, on a machine where all else is free.
    fn check_companions(&self, firsts: &PortSet) -> Result<(), Error> {
        let group = &self.target.ask.group;
        for &offset in &group.companions {
            let (mut is_above, mut would_do) = (true, false);
            for first in firsts {
                let Some(port) = first.checked_add(offset) else {
                    continue;
                };
                is_above = false;
                if !self.ephemeral.contains(port) {
                    would_do = true;
                    break;
                }
            }
            if !would_do && !firsts.is_empty() {
                let why = if is_above {
                    "it leads above port 65535 from there".to_owned()
                } else {
                    format!(
                        "it leads to ports that this system gives to outgoing connections ({})",
                        self.ephemeral
                    )
                };
                let from = match self.target.ask.preference {
                    Preference::Exact(port) => format!("port {port}"),
                    _ => format!("the ports {} that there are to choose from", self.pool),
                };
                return Err(Cause::Group {
                    kind: ErrorKind::InvalidRequest,
                    id: self.target.ask.id().map(str::to_owned),
                    what: format!(
                        "`{}` cannot have the companion {offset} of {from}: {why}; ask for a smaller offset, or lower ports",
                        self.id()
                    ),
                    release: None,
                }
                .into());
            }
        }
        Ok(())
    }
}
