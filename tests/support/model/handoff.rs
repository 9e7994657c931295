//! What must come out of a use of a guard.

use port_for::ErrorKind;

use super::expected::{Expected, Model};
use super::sockets::{Guard, Handoff, Socket, State};

const HANDOFF: ErrorKind = ErrorKind::Handoff;

impl Model {
    pub fn take_listener(&mut self, nth: usize) -> Expected<()> {
        let guard = &mut self.guards[nth];
        if guard.handoff != Handoff::Held {
            return Err(vec![HANDOFF]);
        }
        guard.handoff = Handoff::Taken;
        guard.places[0].tcp = None;
        for place in &mut guard.places[1..] {
            place.tcp = Some(State::Bound);
        }
        let socket = guard.socket(State::Listening);
        self.loose.push(socket);
        Ok(())
    }

    pub fn take_udp_socket(&mut self, nth: usize) -> Expected<()> {
        let guard = &mut self.guards[nth];
        if guard.places[0].udp != Some(true) {
            return Err(vec![HANDOFF]);
        }
        guard.places[0].udp = Some(false);
        let socket = guard.socket(State::Udp);
        self.loose.push(socket);
        Ok(())
    }

    pub fn vacate(&mut self, nth: usize) -> Expected<()> {
        self.let_go(nth, Handoff::Vacated)
    }

    pub fn close_hold(&mut self, nth: usize) -> Expected<()> {
        self.let_go(nth, Handoff::LetGo)
    }

    fn let_go(&mut self, nth: usize, handoff: Handoff) -> Expected<()> {
        let guard = &mut self.guards[nth];
        match guard.handoff {
            Handoff::Taken => return Err(vec![HANDOFF]),
            // What was closed is not vacated any more.
            Handoff::LetGo => return Ok(()),
            Handoff::Held | Handoff::Vacated => {}
        }
        guard.let_go(handoff);
        guard
            .companions
            .iter_mut()
            .for_each(|companion| companion.let_go(handoff));
        Ok(())
    }

    /// Whether another process has the port of the guard, so that it cannot be held again.
    pub fn is_in_use(&self, nth: usize) -> bool {
        self.guards[nth].all().any(|guard| {
            guard.places.iter().any(|place| {
                let at = |state| Socket {
                    port: guard.port,
                    family: place.family,
                    state,
                };
                guard.handoff != Handoff::Held && self.loose.contains(&at(State::Listening))
                    || place.udp == Some(false) && self.loose.contains(&at(State::Udp))
            })
        })
    }

    pub fn rearm(&mut self, nth: usize) -> Expected<()> {
        if self.is_in_use(nth) {
            return Err(vec![HANDOFF]);
        }
        let guard = &mut self.guards[nth];
        guard.hold_again();
        guard.companions.iter_mut().for_each(Guard::hold_again);
        Ok(())
    }

    /// Whether a server that sets `SO_REUSEADDR` can listen there.
    pub fn intrude(&mut self, socket: Socket) -> bool {
        let can = !self.has(socket);
        if can {
            self.loose.push(socket);
        }
        can
    }
}

impl Guard {
    fn let_go(&mut self, handoff: Handoff) {
        self.handoff = handoff;
        for place in &mut self.places {
            place.tcp = (handoff == Handoff::Vacated).then_some(State::Bound);
            place.udp = place.udp.map(|_| false);
        }
    }

    fn hold_again(&mut self) {
        self.handoff = Handoff::Held;
        for place in &mut self.places {
            place.tcp = Some(State::Listening);
            place.udp = place.udp.map(|_| true);
        }
    }
}
