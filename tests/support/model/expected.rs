//! What must come out: the promises as a model that knows nothing of files, locks and sockets.

use std::collections::{BTreeMap, BTreeSet};

use port_for::{ErrorKind, OnBusy};

use super::order::turn;
use super::sockets::{Family, Guard, Handoff, Place, Socket, State};
use super::steps::{ABSENT_HOST, Ask, Port, UNKNOWN_HOST, Wish};

/// What comes out, or the kinds of error of which one does: where several things are wrong, any may be told.
pub type Expected<T> = Result<T, Vec<ErrorKind>>;

#[derive(Debug)]
pub struct Model {
    pub namespace: Option<String>,
    /// All ports that there are.
    pub ports: Vec<u16>,
    pub has_ipv6: bool,
    /// By the names that they have in the store.
    pub assigned: BTreeMap<String, u16>,
    /// The ports that were not used for a month.
    pub old: BTreeSet<u16>,
    pub guards: Vec<Guard>,
    /// Sockets that are no guard's: of strangers, and of servers that were given one.
    pub loose: Vec<Socket>,
}

impl Model {
    pub fn number(&self, port: Port) -> u16 {
        match port {
            Port::Nth(nth) => self.ports[usize::from(nth)],
            Port::Number(number) => number,
        }
    }

    /// What is listed: id, port, and whether it is held.
    pub fn listed(&self) -> Vec<(String, u16, bool)> {
        self.assigned
            .iter()
            .filter_map(|(key, &port)| Some((self.id_of(key)?, port, self.is_leased(port))))
            .collect()
    }

    pub fn sockets(&self) -> impl Iterator<Item = Socket> {
        let held = self.guards.iter().flat_map(Guard::sockets);
        held.chain(self.loose.iter().copied())
    }

    pub fn has(&self, socket: Socket) -> bool {
        self.sockets().any(|other| other == socket)
    }

    pub fn is_free(&self, port: u16) -> bool {
        self.sockets().all(|socket| socket.port != port)
    }

    fn is_leased(&self, port: u16) -> bool {
        self.guards.iter().any(|guard| guard.port == port)
    }

    fn is_assigned(&self, port: u16) -> bool {
        self.assigned.values().any(|&other| other == port)
    }

    fn key(&self, id: &str) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}#{id}"),
            None => id.to_owned(),
        }
    }

    /// A number that is demanded is one number in every namespace.
    pub fn key_of(&self, ask: &Ask) -> String {
        match ask.wish {
            Wish::Exact(_) => ask.id.to_owned(),
            _ => self.key(ask.id),
        }
    }

    fn id_of(&self, key: &str) -> Option<String> {
        let id = match &self.namespace {
            Some(namespace) => key.strip_prefix(namespace.as_str())?.strip_prefix('#')?,
            None => key,
        };
        Some(id.to_owned())
    }

    pub fn port_of(&self, id: &str) -> Option<u16> {
        self.assigned.get(&self.key(id)).copied()
    }

    fn pool(&self, ask: &Ask) -> Vec<u16> {
        let all = |nth: &Vec<u16>| {
            nth.iter()
                .map(|&nth| self.ports[usize::from(nth)])
                .collect()
        };
        ask.ports.as_ref().map_or_else(|| self.ports.clone(), all)
    }

    /// The ports of the ids, remembered or assigned: all of them or none.
    pub fn assign(&mut self, asks: &[Ask]) -> Expected<Vec<u16>> {
        let mut wrong = Vec::new();
        for (nth, ask) in asks.iter().enumerate() {
            if asks[..nth].iter().any(|other| other.id == ask.id) {
                wrong.push(ErrorKind::Deadlock);
            }
            if !is_good(ask.id) {
                wrong.push(ErrorKind::InvalidId);
            }
            if ask.host == Some(UNKNOWN_HOST) {
                wrong.push(ErrorKind::InvalidRequest);
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let assigned = match self.chosen(asks) {
            Err(ErrorKind::Exhausted) if self.make_room(asks) => self.chosen(asks),
            done => done,
        };
        self.assigned = assigned.map_err(|kind| vec![kind])?;
        Ok(asks
            .iter()
            .map(|ask| self.assigned[&self.key_of(ask)])
            .collect())
    }

    pub fn assign_one(&mut self, ask: &Ask) -> Expected<u16> {
        let ports = self.assign(std::slice::from_ref(ask))?;
        self.old.remove(&ports[0]);
        Ok(ports[0])
    }

    fn chosen(&self, asks: &[Ask]) -> Result<BTreeMap<String, u16>, ErrorKind> {
        let mut assigned = self.assigned.clone();
        for ask in asks {
            let key = self.key_of(ask);
            if let Wish::Exact(port) = ask.wish {
                let port = self.number(port);
                let other = assigned.iter().find(|&(_, &other)| other == port);
                let is_its_own = assigned.get(&key).is_none_or(|&has| has == port);
                if port == 0 {
                    return Err(ErrorKind::InvalidRequest);
                }
                if !is_its_own || other.is_some_and(|(other, _)| *other != key) {
                    return Err(ErrorKind::Conflict);
                }
                assigned.insert(key, port);
            } else if !assigned.contains_key(&key) {
                let port = self.choose(ask, &assigned).ok_or(ErrorKind::Exhausted)?;
                assigned.insert(key, port);
            }
        }
        Ok(assigned)
    }

    /// The port that was suggested, or the first of the id's own order, among those that are free.
    fn choose(&self, ask: &Ask, assigned: &BTreeMap<String, u16>) -> Option<u16> {
        let is_free_to_assign = |port: u16| {
            !self.is_leased(port)
                && self.is_free(port)
                && !assigned.values().any(|&other| other == port)
        };
        if let Wish::Default(port) = ask.wish {
            let port = self.number(port);
            if port >= 1024 && is_free_to_assign(port) {
                return Some(port);
            }
        }
        let key = self.key(ask.id);
        let fit = self
            .pool(ask)
            .into_iter()
            .filter(|&port| is_free_to_assign(port));
        fit.min_by_key(|&port| turn(&key, port))
    }

    /// When no port is left, the ids unused for a month are evicted, except those that are asked for.
    fn make_room(&mut self, asks: &[Ask]) -> bool {
        let pool: BTreeSet<u16> = asks.iter().flat_map(|ask| self.pool(ask)).collect();
        let asked: Vec<_> = asks.iter().map(|ask| self.key_of(ask)).collect();
        !self
            .forget(|model, key, port| {
                pool.contains(&port) && model.old.contains(&port) && !asked.contains(key)
            })
            .is_empty()
    }

    /// Those of which this is true, unless they are held.
    fn forget(&mut self, is_to_go: impl Fn(&Self, &String, u16) -> bool) -> Vec<(String, u16)> {
        let goes =
            |&(key, &port): &(&String, &u16)| !self.is_leased(port) && is_to_go(self, key, port);
        let gone: Vec<(String, u16)> = (self.assigned.iter())
            .filter(goes)
            .map(|(key, &port)| (key.clone(), port))
            .collect();
        for (key, port) in &gone {
            self.assigned.remove(key);
            self.old.remove(port);
        }
        gone
    }

    pub fn prune(&mut self, days: u64) -> Vec<(String, u16)> {
        let gone = self.forget(|model, key, port| {
            model.id_of(key).is_some() && (days == 0 || model.old.contains(&port))
        });
        gone.into_iter()
            .map(|(key, port)| (self.id_of(&key).unwrap(), port))
            .collect()
    }

    pub fn release(&mut self, id: &str) -> Expected<Option<u16>> {
        if !is_good(id) {
            return Err(vec![ErrorKind::InvalidId]);
        }
        let Some(port) = self.port_of(id) else {
            return Ok(None);
        };
        if self.is_leased(port) {
            return Err(vec![ErrorKind::Busy]);
        }
        self.assigned.remove(&self.key(id));
        self.old.remove(&port);
        Ok(Some(port))
    }

    /// All of them, or none.
    pub fn guard(&mut self, asks: &[Ask]) -> Expected<Vec<u16>> {
        'again: loop {
            let ports = self.assign(asks)?;
            let in_the_way = self
                .guards
                .iter()
                .filter(|guard| ports.contains(&guard.port));
            if let Some(waited_for) = in_the_way.map(|guard| guard.port).min() {
                // Leases are taken in the order of their ports, and a port that is waited for is in use.
                self.old
                    .retain(|port| !ports.contains(port) || *port > waited_for);
                return Err(vec![ErrorKind::Busy]);
            }
            let mut guards = Vec::new();
            for (ask, &port) in asks.iter().zip(&ports) {
                if ask.host == Some(ABSENT_HOST) {
                    return Err(vec![ErrorKind::Bind]);
                }
                let guard = self.new_guard(ask, port);
                if !guard.sockets().any(|socket| self.has(socket)) {
                    guards.push(guard);
                    continue;
                }
                if ask.on_busy != OnBusy::Move || matches!(ask.wish, Wish::Exact(_)) {
                    return Err(vec![ErrorKind::Occupied]);
                }
                let mut other = self.choose(ask, &self.assigned);
                if other.is_none() && self.make_room(asks) {
                    other = self.choose(ask, &self.assigned);
                }
                let other = other.ok_or(vec![ErrorKind::Exhausted])?;
                self.assigned.insert(self.key(ask.id), other);
                continue 'again;
            }
            for guard in guards {
                self.old.remove(&guard.port);
                self.guards.push(guard);
            }
            return Ok(ports);
        }
    }

    fn new_guard(&self, ask: &Ask, port: u16) -> Guard {
        let families: &[Family] = match ask.host {
            Some("::1") => &[Family::V6],
            Some("localhost") if self.has_ipv6 => &[Family::V4, Family::V6],
            _ => &[Family::V4],
        };
        let place = |&family: &Family| Place {
            family,
            tcp: Some(State::Listening),
            udp: ask.udp.then_some(true),
        };
        Guard {
            id: ask.id,
            port,
            handoff: Handoff::Held,
            places: families.iter().map(place).collect(),
        }
    }

    /// The next free one, if it is one of those that there are.
    pub fn available_port(&self, first: u16) -> Option<u16> {
        let is_free_to_assign =
            |port: u16| !self.is_assigned(port) && !self.is_leased(port) && self.is_free(port);
        let mut from_there = self.ports.iter().filter(|&&port| port >= first);
        from_there.find(|&&port| is_free_to_assign(port)).copied()
    }

    pub fn take_available(&mut self, port: u16) {
        let guard = self.new_guard(&Ask::plain("-"), port);
        self.guards.push(guard);
    }
}

fn is_good(id: &str) -> bool {
    (1..=255).contains(&id.len()) && !id.starts_with('-') && !id.chars().any(char::is_control)
}
