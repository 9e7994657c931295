//! Becoming a user of a shared server, and starting its keeper if there is none.

use std::time::Duration;

use super::fingerprint;
use super::order::Order;
use super::place::Place;
use super::starting;
use super::state::{End, Failure, Phase, State};
use super::users::Use;
use super::{Known, SharedServer};
use crate::ask::{Ask, Preference};
use crate::context::Context;
use crate::error::{Cause, Error, ErrorKind};
use crate::files;
use crate::server::ServerCommand;
use crate::server::log::Log;
use crate::wait::{Wait, Waiter};

/// What a keeper may take in all, beside what its port and its recipe take.
const SPARE: Duration = Duration::from_secs(20);
/// How often a start may be lost before it is no accident: each time, a keeper was killed or a server has died.
const STARTS: u32 = 5;

/// What comes of standing at the gate.
enum Gate {
    /// This is a user now, of the start with this name.
    Joined(Use, String),
    /// A server is ending; the next one is not started before it has.
    Closing,
}

/// Joins the shared server of an id. The first user starts it, the others wait until it is ready.
pub(crate) async fn join_for(
    waiter: Waiter,
    context: &Context,
    ask: &Ask,
    command: &ServerCommand,
) -> Result<SharedServer, Error> {
    let (place, mut order) = prepare(context, ask, command)?;
    let timeout = ask.timeout.unwrap_or(context.config.timeout);
    let limit = timeout
        .saturating_add(command.timeouts())
        .saturating_add(SPARE);
    let mut wait = Wait::patient(waiter, limit);
    let mut starts = 0;
    loop {
        match at_the_gate(waiter, &place, &mut order).await? {
            Gate::Joined(its_use, start) => {
                if let Some(server) = until_ready(&place, its_use, &start, &mut wait).await? {
                    return Ok(server);
                }
                starts += 1;
                if starts == STARTS {
                    let why = format!(
                        "its keeper was killed, or the server ended, {STARTS} times before it could be used; its log is `{}`",
                        place.log().display()
                    );
                    return Err(place.failed(ErrorKind::NotStarted, why));
                }
            }
            Gate::Closing if wait.rest().await => {}
            Gate::Closing => return Err(never_ended(&place)),
        }
    }
}

fn prepare(context: &Context, ask: &Ask, command: &ServerCommand) -> Result<(Place, Order), Error> {
    const WANTED: &str = "share a server";
    let Some(id) = ask.id() else {
        return Err(Cause::SharedWithoutId.into());
    };
    if cfg!(not(unix)) {
        return Err(Cause::Unsupported {
            wanted: WANTED,
            advice: "use `start`, and a server for each test",
        }
        .into());
    }
    let key = context.key(id)?.into_owned();
    let place = Place::of(&context.store, id, &key)?;
    let recipe = command.for_another_process().to_json();
    let fingerprint = fingerprint::of(&recipe, ask);
    let linger = ask.linger.unwrap_or(context.config.linger);
    let order = Order {
        store: context.store.path().to_owned(),
        id: id.to_owned(),
        state: State::starting(&key, fingerprint, linger),
        ask: ask.clone(),
        recipe,
    };
    Ok((place, order))
}

async fn at_the_gate(waiter: Waiter, place: &Place, order: &mut Order) -> Result<Gate, Error> {
    let _gate = place.gate(waiter).await?;
    if place.has_keeper()? {
        // A keeper that finds its state gone publishes it anew.
        let Some(state) = State::read(place)? else {
            return Ok(Gate::Closing);
        };
        return join_running(place, state, order);
    }
    let State {
        key,
        fingerprint,
        linger,
        ..
    } = &order.state;
    order.state = State::starting(key, fingerprint.clone(), *linger);
    order.state.failed_before = State::read(place)?.and_then(|state| match state.phase {
        Phase::Failed(how) => Some((state.start, how)),
        _ => None,
    });
    let its_use = place.users().join(place.key())?;
    order.state.write(place)?;
    starting::start_keeper(waiter, place, order).await?;
    Ok(Gate::Joined(its_use, order.state.start.clone()))
}

fn join_running(place: &Place, mut state: State, order: &Order) -> Result<Gate, Error> {
    let is_up = matches!(state.phase, Phase::Starting | Phase::Ready { .. });
    if !is_up || state.end != End::AfterLinger {
        return Ok(Gate::Closing);
    }
    let State {
        fingerprint: ours,
        linger,
        ..
    } = &order.state;
    if state.fingerprint != *ours {
        let users = place.users().list()?;
        if !users.is_empty() {
            let users: Vec<_> = users.iter().map(ToString::to_string).collect();
            let why = format!(
                "it runs by another recipe: {}; it is used by {}; let them end, use one recipe, or another id",
                fingerprint::difference(ours, &state.fingerprint),
                users.join(", by ")
            );
            return Err(place.failed(ErrorKind::Conflict, why));
        }
        state.end = End::Unused;
        state.write(place)?;
        return Ok(Gate::Closing);
    }
    if let (Preference::Exact(wanted), Phase::Ready { addr, .. }) =
        (order.ask.preference, &state.phase)
        && wanted != addr.port()
    {
        return Err(Cause::HasOtherPort {
            id: order.id.clone(),
            wanted,
            has: addr.port(),
            store: order.store.clone(),
        }
        .into());
    }
    let its_use = place.users().join(place.key())?;
    if *linger > state.linger {
        state.linger = *linger;
        state.write(place)?;
    }
    Ok(Gate::Joined(its_use, state.start))
}

/// The server of this start, once it is ready; none if the keeper or the server was killed before, which says nothing
/// about the recipe.
async fn until_ready(
    place: &Place,
    its_use: Use,
    start: &str,
    wait: &mut Wait,
) -> Result<Option<SharedServer>, Error> {
    loop {
        // Before its state is read, which it writes before it ends.
        let has_keeper = place.has_keeper()?;
        match State::read(place)? {
            Some(state) if state.start == start => match state.phase {
                Phase::Ready { server, addr } if has_keeper => {
                    let known = Known {
                        place: place.clone(),
                        start: state.start,
                        id: server,
                        addr,
                        log: open_log(place)?,
                    };
                    return Ok(Some(SharedServer {
                        server: known.into(),
                        owner: std::process::id(),
                        its_use,
                    }));
                }
                Phase::Failed(how) => return Err(failure(place, how)),
                Phase::Ending | Phase::Ended(_) => return Ok(None),
                Phase::Starting | Phase::Ready { .. } => {}
            },
            // Of another start, which was quicker than this look.
            Some(state) => {
                return match state.failed_before {
                    Some((failed, how)) if failed == start => Err(failure(place, how)),
                    _ => Ok(None),
                };
            }
            None => {}
        }
        if !has_keeper {
            return Ok(None);
        }
        if !wait.rest().await {
            let why = "its keeper did not say in time whether the server is ready";
            return Err(place.failed(ErrorKind::NotReady, why));
        }
    }
}

fn open_log(place: &Place) -> Result<Option<Log>, Error> {
    let path = place.log();
    let opened = files::open("open the log of the shared server", &path, place.access())?;
    Ok(opened.map(|(file, _)| Log::of(file, &path)))
}

/// The message is whole: the same for every user.
fn failure(place: &Place, Failure { kind, message }: Failure) -> Error {
    place.error(kind, message)
}

fn never_ended(place: &Place) -> Error {
    let why = "the one before it does not end, or was started by another version of this crate; end its keeper";
    let holder = crate::lease::Lock::holder(&place.keeper(), place.access());
    match holder {
        Ok(Some(holder)) => place.failed(ErrorKind::Busy, format!("{why}, {holder}")),
        _ => place.failed(ErrorKind::Busy, why),
    }
}
