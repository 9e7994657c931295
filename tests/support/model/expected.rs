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
        (self.groups().into_iter())
            .filter_map(|(key, ports)| {
                let is_held = ports.iter().any(|&port| self.is_leased(port));
                Some((self.id_of(&key)?, ports[0], is_held))
            })
            .collect()
    }

    /// The ids with all of their ports, the first one first.
    pub fn groups(&self) -> Vec<(String, Vec<u16>)> {
        let mut groups: BTreeMap<String, Vec<u16>> = BTreeMap::new();
        for (key, &port) in &self.assigned {
            // No id of the stories has a `+`.
            let (leader, above) = key.split_once('+').unwrap_or((key, "0"));
            let ports = groups.entry(leader.to_owned()).or_default();
            ports.push(port);
            assert_eq!(ports[0] + above.parse::<u16>().unwrap(), port);
        }
        groups.into_iter().collect()
    }

    /// Whether it is a port of a group, and not the first one.
    pub fn is_behind(&self, port: u16) -> bool {
        let mut all = self.assigned.iter();
        all.any(|(key, &other)| other == port && key.contains('+'))
    }

    /// All ports of an id.
    pub fn ports_of(&self, key: &str) -> Vec<u16> {
        let found = self.groups().into_iter().find(|(other, _)| other == key);
        found.map_or_else(Vec::new, |(_, ports)| ports)
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
        (self.guards.iter()).any(|guard| guard.ports().any(|other| other == port))
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

    /// The first ports of the ids, remembered or assigned: all of them or none.
    fn assign(&mut self, asks: &[Ask], is_number: bool) -> Expected<Vec<u16>> {
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
        let assigned = match self.chosen(asks, is_number) {
            Err(ErrorKind::Exhausted) if self.make_room(asks) => self.chosen(asks, is_number),
            done => done,
        };
        self.assigned = assigned.map_err(|kind| vec![kind])?;
        Ok(asks
            .iter()
            .map(|ask| self.assigned[&self.key_of(ask)])
            .collect())
    }

    pub fn assign_one(&mut self, ask: &Ask) -> Expected<u16> {
        let ports = self.assign(std::slice::from_ref(ask), true)?;
        self.old.remove(&ports[0]);
        Ok(ports[0])
    }

    fn chosen(&self, asks: &[Ask], is_number: bool) -> Result<BTreeMap<String, u16>, ErrorKind> {
        let mut assigned = self.assigned.clone();
        let is_zero = |ask: &Ask| matches!(ask.wish, Wish::Exact(Port::Number(0)));
        if asks.iter().any(is_zero) {
            return Err(ErrorKind::InvalidRequest);
        }
        // What the ids have already is looked at first.
        let goes_against = |ask: &Ask| {
            let has = self.ports_of(&self.key_of(ask));
            let offsets = ask.offsets();
            let is_enough = is_number && offsets.len() == 1;
            !is_enough && has.iter().any(|port| !offsets.contains(&(port - has[0])))
        };
        if asks.iter().any(goes_against) {
            return Err(ErrorKind::Conflict);
        }
        for ask in asks {
            let key = self.key_of(ask);
            let has = self.ports_of(&key);
            let offsets = ask.offsets();
            if let Wish::Exact(port) = ask.wish {
                let port = self.number(port);
                let is_others = |above: &u16| {
                    let mut others = assigned.iter().filter(|&(_, &other)| other == port + above);
                    others.any(|(other, _)| *other != member(&key, *above))
                };
                if has.first().is_some_and(|&has| has != port) || offsets.iter().any(is_others) {
                    return Err(ErrorKind::Conflict);
                }
            }
            if is_number && offsets.len() == 1 && !has.is_empty() {
                continue;
            }
            let first = match (has.first(), ask.wish) {
                (Some(&first), _) => {
                    let can_grow = |above: &u16| {
                        let port = first + above;
                        has.contains(&port)
                            || matches!(ask.wish, Wish::Exact(_))
                            || self.is_free_to_assign(port, &assigned)
                    };
                    if !offsets.iter().all(can_grow) {
                        return Err(ErrorKind::Conflict);
                    }
                    first
                }
                (None, Wish::Exact(port)) => self.number(port),
                (None, _) => self.choose(ask, &assigned).ok_or(ErrorKind::Exhausted)?,
            };
            give(&mut assigned, &key, ask, first);
        }
        Ok(assigned)
    }

    fn is_free_to_assign(&self, port: u16, assigned: &BTreeMap<String, u16>) -> bool {
        !self.is_leased(port)
            && self.is_free(port)
            && !assigned.values().any(|&other| other == port)
    }

    /// The port that was suggested, or the first of the id's own order, among those that are free.
    fn choose(&self, ask: &Ask, assigned: &BTreeMap<String, u16>) -> Option<u16> {
        let offsets = ask.offsets();
        let are_free = |first: u16| {
            let mut ports = offsets.iter().map(|above| first + above);
            ports.all(|port| self.is_free_to_assign(port, assigned))
        };
        if let Wish::Default(port) = ask.wish {
            let port = self.number(port);
            if port >= 1024 && are_free(port) {
                return Some(port);
            }
        }
        let (key, pool) = (self.key(ask.id), self.pool(ask));
        let is_of_pool = |first: u16| (first..first + ask.block).all(|port| pool.contains(&port));
        let firsts = pool.iter().copied();
        let fit = firsts.filter(|&first| is_of_pool(first) && are_free(first));
        fit.min_by_key(|&port| turn(&key, port))
    }

    /// When no port is left, the ids unused for a month are evicted, except those that are asked for.
    fn make_room(&mut self, asks: &[Ask]) -> bool {
        let pool: BTreeSet<u16> = asks.iter().flat_map(|ask| self.pool(ask)).collect();
        let asked: Vec<_> = asks.iter().map(|ask| self.key_of(ask)).collect();
        !self
            .forget(|model, key, ports| {
                let has_one = ports.iter().any(|port| pool.contains(port));
                has_one && model.are_old(ports) && !asked.contains(key)
            })
            .is_empty()
    }

    /// Those of which this is true, unless they are held.
    fn forget(&mut self, is_to_go: impl Fn(&Self, &String, &[u16]) -> bool) -> Vec<(String, u16)> {
        let mut gone = self.groups();
        gone.retain(|(key, ports)| {
            !ports.iter().any(|&port| self.is_leased(port)) && is_to_go(self, key, ports)
        });
        let gone = gone.into_iter().map(|(key, ports)| {
            self.remove(&ports);
            (key, ports[0])
        });
        gone.collect()
    }

    fn remove(&mut self, ports: &[u16]) {
        self.assigned.retain(|_, port| !ports.contains(port));
        self.old.retain(|port| !ports.contains(port));
    }

    fn are_old(&self, ports: &[u16]) -> bool {
        ports.iter().all(|port| self.old.contains(port))
    }

    pub fn prune(&mut self, days: u64) -> Vec<(String, u16)> {
        let gone = self.forget(|model, key, ports| {
            model.id_of(key).is_some() && (days == 0 || model.are_old(ports))
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
        let ports = self.ports_of(&self.key(id));
        if ports.iter().any(|&port| self.is_leased(port)) {
            return Err(vec![ErrorKind::Busy]);
        }
        self.remove(&ports);
        Ok(Some(port))
    }

    /// All of them, or none.
    pub fn guard(&mut self, asks: &[Ask]) -> Expected<Vec<u16>> {
        'again: loop {
            let firsts = self.assign(asks, false)?;
            let all = asks.iter().zip(&firsts);
            let all =
                all.flat_map(|(ask, first)| ask.offsets().into_iter().map(move |n| first + n));
            let ports: Vec<u16> = all.collect();
            let in_the_way = self.guards.iter().flat_map(Guard::ports);
            if let Some(waited_for) = in_the_way.filter(|port| ports.contains(port)).min() {
                // Leases are taken in the order of their ports, and a port that is waited for is in use.
                self.old
                    .retain(|port| !ports.contains(port) || *port > waited_for);
                return Err(vec![ErrorKind::Busy]);
            }
            let mut guards = Vec::new();
            'asks: for (ask, &first) in asks.iter().zip(&firsts) {
                if ask.host == Some(ABSENT_HOST) {
                    return Err(vec![ErrorKind::Bind]);
                }
                let block = (0..ask.block).map(|nth| self.new_guard(ask, first + nth, nth));
                let block: Vec<_> = block.collect();
                if !block
                    .iter()
                    .flat_map(Guard::sockets)
                    .any(|socket| self.has(socket))
                {
                    guards.extend(block);
                    continue 'asks;
                }
                if ask.on_busy != OnBusy::Move || matches!(ask.wish, Wish::Exact(_)) {
                    return Err(vec![ErrorKind::Occupied]);
                }
                let mut other = self.choose(ask, &self.assigned);
                if other.is_none() && self.make_room(asks) {
                    other = self.choose(ask, &self.assigned);
                }
                let other = other.ok_or(vec![ErrorKind::Exhausted])?;
                let key = self.key(ask.id);
                give(&mut self.assigned, &key, ask, other);
                continue 'again;
            }
            let firsts = guards.iter().map(|guard| guard.port).collect();
            for guard in guards {
                self.old
                    .retain(|&port| guard.ports().all(|other| other != port));
                self.guards.push(guard);
            }
            return Ok(firsts);
        }
    }

    fn new_guard(&self, ask: &Ask, port: u16, nth: u16) -> Guard {
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
        let guard = |port, companions| Guard {
            id: member(ask.id, nth),
            port,
            handoff: Handoff::Held,
            places: families.iter().map(place).collect(),
            companions,
        };
        let companions = ask.companions.iter();
        let companions = companions.map(|above| guard(port + above, Vec::new()));
        guard(port, companions.collect())
    }

    /// The next free one, if it is one of those that there are.
    pub fn available_port(&self, first: u16) -> Option<u16> {
        let is_free_to_assign =
            |port: u16| !self.is_assigned(port) && !self.is_leased(port) && self.is_free(port);
        let mut from_there = self.ports.iter().filter(|&&port| port >= first);
        from_there.find(|&&port| is_free_to_assign(port)).copied()
    }

    pub fn take_available(&mut self, port: u16) {
        let guard = self.new_guard(&Ask::plain("-"), port, 0);
        self.guards.push(guard);
    }
}

/// What the store calls the port so far above the one of `key`.
fn member(key: &str, above: u16) -> String {
    if above == 0 {
        key.to_owned()
    } else {
        format!("{key}+{above}")
    }
}

/// All ports of what is asked for, from the first on, and none besides.
fn give(assigned: &mut BTreeMap<String, u16>, key: &str, ask: &Ask, first: u16) {
    for above in ask.offsets() {
        assigned.insert(member(key, above), first + above);
    }
}

fn is_good(id: &str) -> bool {
    (1..=255).contains(&id.len()) && !id.starts_with('-') && !id.chars().any(char::is_control)
}
