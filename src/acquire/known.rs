//! What the store knows of what is asked for.

use super::target::Target;
use crate::ask::Preference;
use crate::error::{Cause, Error, ErrorKind};
use crate::group::member;
use crate::store::{Snapshot, Store};

/// What the store knows of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// All of its ports, the first of which is this one.
    All(u16),
    /// Its first port, and not all that are asked for now.
    Part(u16),
    Nothing,
}

/// What the store knows of the id.
///
/// # Errors
///
/// `Conflict` when what it knows does not go with what is asked for.
pub(super) fn known(
    store: &Store,
    snapshot: &Snapshot,
    target: &Target<'_>,
) -> Result<Known, Error> {
    let known = snapshot.group_of(&target.key);
    if let Preference::Exact(wanted) = target.ask.preference {
        let port = known.as_ref().map(|&(port, _)| port);
        check_exact(store, snapshot, target, wanted, port)?;
    }
    if !target.wants_number
        && let Some(leader) = snapshot.leader_of(&target.key)
    {
        let what = format!(
            "`{}` is a port of the group `{leader}` in `{}`; ask for that id, take another name",
            target.ask.id().unwrap_or_default(),
            store.path().display()
        );
        return Err(conflict(store, target, what, leader));
    }
    let Some((port, has)) = known else {
        return Ok(Known::Nothing);
    };
    if target.wants_number && target.ask.group.is_single() {
        return Ok(Known::All(port));
    }
    if has.is_empty() && target.ask.group.is_single() {
        return Ok(Known::All(port));
    }
    let offsets = target.ask.group.offsets();
    if offsets[1..] == has {
        return Ok(Known::All(port));
    }
    if has.iter().all(|offset| offsets.contains(offset)) {
        return Ok(Known::Part(port));
    }
    let with: Vec<_> = has
        .iter()
        .map(|offset| (port + offset).to_string())
        .collect();
    let what = format!(
        "`{}` cannot have {}: it has port {port}, and with it {}, in `{}`; ask for the same as before",
        target.ask.id().unwrap_or_default(),
        target.ask.group,
        with.join(", "),
        store.path().display()
    );
    Err(conflict(store, target, what, &target.key))
}

/// The first port of the id, if the store knows all that is asked for, and nothing goes against it.
pub(super) fn port_of(snapshot: &Snapshot, target: &Target<'_>) -> Option<u16> {
    let (port, has) = snapshot.group_of(&target.key)?;
    let group = &target.ask.group;
    let is_all = if group.is_single() {
        has.is_empty() || target.wants_number
    } else {
        group.offsets()[1..] == has
    };
    let is_members = || target.key.contains('+') && snapshot.leader_of(&target.key).is_some();
    (is_all && !is_members()).then_some(port)
}

/// An exact port conflicts with another one of the same id, and with another id that has it or one of its group.
pub(super) fn check_exact(
    store: &Store,
    snapshot: &Snapshot,
    target: &Target<'_>,
    wanted: u16,
    port: Option<u16>,
) -> Result<(), Error> {
    let (id, path) = (target.key.to_string(), store.path().to_owned());
    if wanted == 0 {
        return Err(Cause::NotAPort { id: Some(id) }.into());
    }
    if let Some(has) = port.filter(|&has| has != wanted) {
        return Err(Cause::HasOtherPort {
            id,
            wanted,
            has,
            store: path,
        }
        .into());
    }
    for offset in target.ask.group.offsets() {
        let Some(port) = wanted.checked_add(offset) else {
            return Err(target.above(wanted, offset));
        };
        let member = member(&target.key, offset);
        if let Some(other) = snapshot.id_of(port)
            && other != member
        {
            return Err(Cause::PortOfOther {
                id: member.into_owned(),
                wanted: port,
                other: other.to_owned(),
                store: path,
            }
            .into());
        }
    }
    Ok(())
}

pub(super) fn conflict(store: &Store, target: &Target<'_>, what: String, release: &str) -> Error {
    Cause::Group {
        kind: ErrorKind::Conflict,
        id: target.ask.id().map(str::to_owned),
        what,
        release: Some((store.path().to_owned(), release.to_owned())),
    }
    .into()
}
