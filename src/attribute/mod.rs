//! What the attribute's expansion calls. Not for people: it changes with the macro crate, which is pinned for that.

use std::time::Duration;

use crate::acquire;
use crate::ask::{Ask, Preference, Subject};
use crate::error::{Cause, Error, ParseHostError};
use crate::guard::Host;
use crate::port_for::PortFor;
use crate::server::ServerCommand;
use crate::shared;
use crate::wait::{Waiter, without_pending};

mod auto_id;
pub mod fixture;
mod param;
mod served;

pub use crate::ask::OnBusy;
pub use auto_id::auto_id;
pub use param::FromGuard;
use param::Slot;
pub use served::{NoResult, Outcome, output_of, result_of, say_last_lines};

/// One port that a test asks for.
#[derive(Debug)]
pub struct Wanted {
    ask: Ask,
    /// Reported when the test runs.
    bad_host: Option<ParseHostError>,
    server: Option<Server>,
}

/// The server that a port is for.
#[derive(Debug)]
enum Server {
    Start(ServerCommand),
    Shared(ServerCommand),
}

impl Wanted {
    /// The port of `id`.
    #[must_use]
    pub fn new(id: &(impl AsRef<str> + ?Sized)) -> Self {
        Self {
            ask: Ask::new(id.as_ref().to_owned()),
            bad_host: None,
            server: None,
        }
    }

    /// The port of a parameter that was given no id: any port will do. `id` is made for it.
    #[must_use]
    pub fn without_id(id: &(impl AsRef<str> + ?Sized)) -> Self {
        let mut wanted = Self::new(id);
        wanted.ask.on_busy = OnBusy::Move;
        wanted.ask.is_made_up = true;
        wanted
    }

    /// As [`Request::default_port`](crate::Request::default_port); so are the others.
    #[must_use]
    pub fn default_port(mut self, port: u16) -> Self {
        self.ask.prefer(port);
        self
    }

    /// `exact = 80`.
    #[must_use]
    pub fn exact_port(mut self, port: u16) -> Self {
        if self.ask.is_made_up {
            // A number that tests take turns on, whatever they are called.
            self.ask.subject = Subject::Port(port);
            self.ask.on_busy = OnBusy::Wait;
        } else {
            self.ask.preference = Preference::Exact(port);
        }
        self
    }

    /// `ports = "20000-20999"`.
    #[must_use]
    pub fn ports(mut self, ports: &'static str) -> Self {
        self.ask.ports = Some(ports.parse().expect("the macro has checked it"));
        self
    }

    /// `host = "::1"`.
    #[must_use]
    pub fn host<H>(mut self, host: H) -> Self
    where
        H: TryInto<Host, Error: Into<ParseHostError>>,
    {
        match host.try_into() {
            Ok(host) => self.ask.host = host,
            Err(error) => self.bad_host = Some(error.into()),
        }
        self
    }

    /// `timeout = "5s"`.
    #[must_use]
    pub fn timeout_millis(mut self, millis: u64) -> Self {
        self.ask.timeout = Some(Duration::from_millis(millis));
        self
    }

    /// `on_busy = "fail"`.
    #[must_use]
    pub fn on_busy(mut self, on_busy: OnBusy) -> Self {
        self.ask.on_busy = on_busy;
        self
    }

    /// `udp`.
    #[must_use]
    pub fn udp(mut self) -> Self {
        self.ask.udp = true;
        self
    }

    /// `block = 6`, or as many as the parameter's array has.
    #[must_use]
    pub fn block(mut self, ports: impl TryInto<u16>) -> Self {
        // Too many for a number of ports is as wrong as too many for a block.
        self.ask.group.block = ports.try_into().unwrap_or(u16::MAX);
        self
    }

    /// `companions = [10_000]`.
    #[must_use]
    pub fn companions(mut self, offsets: impl IntoIterator<Item = u16>) -> Self {
        self.ask.group.companions = offsets.into_iter().collect();
        self
    }

    /// `start = redis()`.
    #[must_use]
    pub fn start(mut self, command: ServerCommand) -> Self {
        self.server = Some(Server::Start(command));
        self
    }

    /// `shared = redis()`.
    #[must_use]
    pub fn shared(mut self, command: ServerCommand) -> Self {
        self.server = Some(Server::Shared(command));
        self
    }
}

/// All the ports of a test, together: in whatever order tests name the same ids, none waits for another in a circle.
///
/// # Panics
///
/// With the error's message, at the caller: the line of the attribute.
#[must_use]
#[track_caller]
pub fn guards<const N: usize>(wanted: [Wanted; N]) -> [Slot; N] {
    acquired(without_pending(guards_for(Waiter::Thread, wanted)))
}

/// [`guards`] for an async test; [`acquired`] panics for it, as a future has no caller to point at.
///
/// # Errors
///
/// What a guard's acquisition gives.
pub async fn guards_async<const N: usize>(wanted: [Wanted; N]) -> Result<[Slot; N], Error> {
    guards_for(Waiter::Test, wanted).await
}

/// The second half of [`guards_async`].
#[must_use]
#[track_caller]
pub fn acquired<const N: usize>(slots: Result<[Slot; N], Error>) -> [Slot; N] {
    match slots {
        Ok(slots) => slots,
        Err(error) => panic!("{error}"),
    }
}

/// Makes of a guard what the parameter's type wants.
#[must_use]
#[track_caller]
pub fn param<'slot, T: FromGuard<'slot>>(slot: &'slot mut Slot) -> T {
    match T::from_slot(slot) {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}

async fn guards_for<const N: usize>(
    waiter: Waiter,
    wanted: [Wanted; N],
) -> Result<[Slot; N], Error> {
    let context = PortFor::shared()?.context();
    let mut slots: [Option<Slot>; N] = [const { None }; N];
    let mut asks = Vec::with_capacity(N);
    let mut commands = Vec::with_capacity(N);
    for (slot, wanted) in slots.iter_mut().zip(wanted) {
        let ask = wanted.ask;
        if let Some(source) = wanted.bad_host {
            let id = ask.id().unwrap_or_default().to_owned();
            return Err(Cause::UnknownHost { id, source }.into());
        }
        let command = match wanted.server {
            // First, so that the wait for a port keeps a server that others use from ending.
            Some(Server::Shared(command)) => {
                let server = shared::join_for(waiter, context, &ask, &command).await?;
                *slot = Some(Slot::shared(server));
                continue;
            }
            Some(Server::Start(command)) => Some(command),
            None => None,
        };
        asks.push(ask);
        commands.push(command);
    }
    let guards = acquire::guards_for(waiter, context, &asks).await?;
    let mut guards = guards.into_iter();
    let mut wanted = asks.iter().zip(commands);
    for slot in slots.iter_mut().filter(|slot| slot.is_none()) {
        let (ask, command) = wanted.next().expect("there is one for each slot");
        let block = guards.by_ref().take(ask.group.block.into());
        let mut own = Slot::new(block.collect());
        if let Some(command) = command {
            own.start(waiter, &command).await?;
        }
        *slot = Some(own);
    }
    Ok(slots.map(|slot| slot.expect("each was filled")))
}
