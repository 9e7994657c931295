//! The same steps done with the crate, and what came out beside what must.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Debug};
use std::net::{Ipv6Addr, TcpListener};
use std::path::Path;
use std::time::{Duration, SystemTime};

use port_for::{Error, ErrorKind, PortFor, PortGuard, Request};
use proptest::sample::Index;
use socket2::Type;

use super::expected::{Expected, Model};
use super::look::bound;
use super::sockets::{Family, Socket, State};
use super::steps::{Ask, Caller, HANDLES, Port, Step, Story, Thread, Use, Wish};
use super::threads::Threads;
use crate::support::TempStore;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A socket of any kind, to be kept.
type Kept = Box<dyn Send>;

/// How often calls came to what: to an error of a kind, or to none.
#[derive(Debug, Default)]
pub struct Outcomes(BTreeMap<String, usize>);

impl Outcomes {
    fn count(&mut self, kind: Option<ErrorKind>) {
        let name = kind.map_or("Ok".to_owned(), |kind| format!("{kind:?}"));
        *self.0.entry(name).or_default() += 1;
    }
}

impl fmt::Display for Outcomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each: Vec<_> = self
            .0
            .iter()
            .map(|(name, count)| format!("{name}={count}"))
            .collect();
        f.write_str(&each.join(" "))
    }
}

pub struct World<'a> {
    story: &'a Story,
    threads: &'a Threads,
    outcomes: &'a mut Outcomes,
    pub model: Model,
    store: TempStore,
    handles: Vec<PortFor>,
    /// As many as the model has, in the same order; so are the sockets.
    pub guards: Vec<PortGuard>,
    loose: Vec<Kept>,
}

/// Acts the story out. An error says at which step what came out instead of what must.
pub fn tell(
    story: &Story,
    threads: &Threads,
    namespace: Option<&str>,
    outcomes: &mut Outcomes,
) -> Result<(), String> {
    let mut world = World::new(story, threads, namespace, outcomes);
    for (nth, step) in story.steps.iter().enumerate() {
        let at = |error| format!("step {nth}, {step:?}: {error}");
        world.step(step).map_err(at)?;
        let by = &world.handles[nth % HANDLES];
        world
            .look(by)
            .map_err(|error| at(format!("afterwards {error}")))?;
    }
    let at = |error| format!("in the end {error}");
    (world.handles.iter()).try_for_each(|by| world.look(by).map_err(at))
}

impl<'a> World<'a> {
    fn new(
        story: &'a Story,
        threads: &'a Threads,
        namespace: Option<&str>,
        outcomes: &'a mut Outcomes,
    ) -> Self {
        // In memory where that goes, for what is tried here is not the disk.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() {
            TempStore::new_in(memory)
        } else {
            TempStore::new()
        };
        let pool: port_for::PortSet = std::env::var("PORT_FOR_POOL").unwrap().parse().unwrap();
        let ports: Vec<u16> = pool.iter().collect();
        let mut model = Model {
            namespace: namespace.map(str::to_owned),
            has_ipv6: TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok(),
            assigned: [].into(),
            old: BTreeSet::new(),
            guards: Vec::new(),
            loose: Vec::new(),
            ports,
        };
        if story.has_foreign {
            let (key, port) = ("elsewhere#a", model.ports[0]);
            model.assigned.insert(key.to_owned(), port);
            folder.write(&model.assigned);
        }
        Self {
            story,
            threads,
            outcomes,
            model,
            // The last is a clone, which shares what it has read with the first.
            handles: vec![folder.clone(), folder.reopened(), folder.clone()],
            guards: Vec::new(),
            loose: Vec::new(),
            store: folder,
        }
    }

    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method alone would be of one lifetime"
    )]
    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Assign(caller, ask) => {
                let expected = self.model.assign_one(ask);
                let got = self.ask(*caller, ask, |request| request.assign());
                self.agree(&expected, &got)
            }
            Step::ForwardPort(caller, id, port) => {
                let ask = Ask {
                    wish: Wish::Default(*port),
                    ..Ask::plain(id)
                };
                let expected = self.model.assign_one(&ask);
                let (number, id) = (self.model.number(*port), *id);
                let got = self.call(*caller, move |ports| ports.forward_port(id, number));
                self.agree(&expected, &got)
            }
            Step::Ask(caller, ask) => self.guard(std::slice::from_ref(ask), |world| {
                let is_one = ask.block == 1;
                world.ask(*caller, ask, move |request| {
                    if is_one {
                        request.guard().map(|guard| vec![guard])
                    } else {
                        request.guards()
                    }
                })
            }),
            Step::Guard(caller, id) => {
                let id = *id;
                self.guard(&[Ask::plain(id)], |world| {
                    Ok(vec![world.call(*caller, move |ports| ports.guard(id))?])
                })
            }
            Step::Guards(caller, ids) => {
                let asks: Vec<_> = ids.iter().map(|id| Ask::plain(id)).collect();
                self.guard(&asks, |world| match ids[..] {
                    [a, b] => world.call(*caller, move |ports| ports.guards([a, b]).map(Vec::from)),
                    [a, b, c] => {
                        world.call(*caller, move |ports| ports.guards([a, b, c]).map(Vec::from))
                    }
                    _ => unreachable!("two or three"),
                })
            }
            Step::AvailablePort(caller, first) => {
                let first = self.model.number(*first);
                let Some(port) = self.model.available_port(first) else {
                    // Whose the ports behind ours are is not known.
                    return Ok(());
                };
                self.model.take_available(port);
                let got = self.call(*caller, move |ports| ports.available_port(first));
                let got = got.map(|guard| {
                    self.guards.push(guard);
                    self.guards.last().map(PortGuard::port)
                });
                self.agree(&Ok(Some(port)), &got)
            }
            Step::Release(caller, id) => {
                let expected = self.model.release(id);
                let id = *id;
                let got = self.call(*caller, move |ports| ports.release(id));
                self.agree(&expected, &got)
            }
            Step::Prune(caller, days) => {
                let expected = self.model.prune(*days);
                let unused_for = DAY * u32::try_from(*days).unwrap();
                let got = self.call(*caller, move |ports| ports.prune(unused_for));
                let got = got.map(|gone| {
                    let pair = |a: &port_for::Assignment| (a.id().to_owned(), a.port());
                    gone.iter().map(pair).collect::<Vec<_>>()
                });
                self.agree(&Ok(expected), &got)
            }
            Step::Use(thread, nth, usage) => match self.guards.len() {
                0 => Ok(()),
                len => self.use_guard(*thread, nth.index(len), *usage),
            },
            Step::Reopen(nth) => {
                self.handles[*nth] = self.store.reopened();
                Ok(())
            }
            Step::Intrude(port, v6) => self.intrude(*port, *v6),
            Step::End(nth) => {
                self.end(*nth);
                Ok(())
            }
            Step::Age(port) => {
                let port = self.model.number(*port);
                // Of an unknown use, the time cannot be set back.
                // All of a group, which is as old as its last use.
                let mut groups = self.model.groups().into_iter();
                let group = groups.find(|(_, ports)| ports.contains(&port));
                let ports = group.map_or_else(Vec::new, |(_, ports)| ports);
                let long_ago = SystemTime::now() - 40 * DAY;
                let set: Vec<_> = (ports.iter())
                    .map(|&port| self.set_last_used(port, long_ago))
                    .collect();
                if set.contains(&true) {
                    self.model.old.extend(ports);
                }
                Ok(())
            }
        }
    }

    fn run<T: Send + 'static>(
        &self,
        thread: Thread,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        self.threads.run(thread, job).unwrap_or_else(|| {
            // The thread is lost: no other sequence can be tried, and so none that is shorter.
            println!("\n@a call does not end, of {:?}", self.story);
            std::process::exit(1);
        })
    }

    /// Calls the store, through the handle and on the thread that were chosen.
    fn call<T: Send + 'static>(
        &self,
        caller: Caller,
        call: impl FnOnce(&PortFor) -> T + Send + 'static,
    ) -> T {
        const { assert!(HANDLES == 3) };
        let handle = self.handles[caller.handle].clone();
        self.run(caller.thread, move || call(&handle))
    }

    fn ask<T: Send + 'static>(
        &self,
        caller: Caller,
        ask: &Ask,
        end: impl FnOnce(Request) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let ask = ask.clone();
        let numbers = |nths: &Vec<u16>| {
            nths.iter()
                .map(|&nth| self.model.number(Port::Nth(nth)))
                .collect()
        };
        let pool: Option<port_for::PortSet> = ask.ports.as_ref().map(numbers);
        let wished = match ask.wish {
            Wish::Any => 0,
            Wish::Default(port) | Wish::Exact(port) => self.model.number(port),
        };
        self.call(caller, move |ports| {
            let mut request = ports
                .request(ask.id)
                .timeout(Duration::ZERO)
                .on_busy(ask.on_busy);
            request = match ask.wish {
                Wish::Any => request,
                Wish::Default(_) => request.default_port(wished),
                Wish::Exact(_) => request.exact_port(wished),
            };
            if let Some(pool) = pool {
                request = request.ports(pool);
            }
            if let Some(host) = ask.host {
                request = request.host(host);
            }
            if ask.udp {
                request = request.udp();
            }
            if (ask.block, ask.companions) != (1, &[]) {
                request = request
                    .block(ask.block)
                    .companions(ask.companions.iter().copied());
            }
            end(request)
        })
    }

    /// Asks for guards, which come in the order of the ids.
    fn guard(
        &mut self,
        asks: &[Ask],
        call: impl FnOnce(&Self) -> Result<Vec<PortGuard>, Error>,
    ) -> Result<(), String> {
        let of_asked = |model: &Model| {
            asks.iter()
                .flat_map(|ask| model.ports_of(&model.key_of(ask)))
                .collect::<Vec<_>>()
        };
        let mut touched = of_asked(&self.model);
        let expected = self.model.guard(asks);
        touched.extend(of_asked(&self.model));
        let got = call(self).map(|guards| self.guards.extend(guards));
        let is_failed = got.is_err();
        let numbers = got.map(|()| {
            let asked: u16 = asks.iter().map(|ask| ask.block).sum();
            let new = self.guards.len() - usize::from(asked);
            self.guards[new..].iter().map(PortGuard::port).collect()
        });
        self.agree(&expected, &numbers)?;
        if is_failed {
            // Whether it was a use of the ports is left open.
            for port in touched {
                if self.set_last_used(port, SystemTime::now()) || !self.model.is_behind(port) {
                    self.model.old.remove(&port);
                } else {
                    // Of a port that was never used, nothing keeps its group.
                    self.model.old.insert(port);
                }
            }
        }
        Ok(())
    }

    fn use_guard(&mut self, thread: Thread, nth: usize, usage: Use) -> Result<(), String> {
        type Call = fn(&mut PortGuard) -> Result<Option<Kept>, Error>;
        let model = &mut self.model;
        let (expected, call): (_, Call) = match usage {
            Use::TakeListener => (model.take_listener(nth), |guard| {
                guard
                    .take_listener()
                    .map(|socket| Some(Box::new(socket) as Kept))
            }),
            Use::TakeUdpSocket => (model.take_udp_socket(nth), |guard| {
                guard
                    .take_udp_socket()
                    .map(|socket| Some(Box::new(socket) as Kept))
            }),
            Use::Vacate => (model.vacate(nth), |guard| guard.vacate().map(|_| None)),
            Use::ReleaseHold => (model.close_hold(nth), |guard| {
                guard.close_hold().map(|_| None)
            }),
            Use::Rearm { in_vain } if !in_vain && model.is_in_use(nth) => return Ok(()),
            Use::Rearm { .. } => (model.rearm(nth), |guard| guard.rearm().map(|()| None)),
            Use::Release => {
                model.guards.remove(nth);
                let guard = self.guards.remove(nth);
                let got = self.run(thread, move || guard.close());
                return self.agree(&Ok(()), &got);
            }
            Use::Drop => {
                model.guards.remove(nth);
                let guard = self.guards.remove(nth);
                self.run(thread, move || drop(guard));
                return Ok(());
            }
        };
        // The guard goes to the thread and back.
        let mut guard = self.guards.remove(nth);
        let (got, guard) = self.run(thread, move || (call(&mut guard), guard));
        self.guards.insert(nth, guard);
        let got = got.map(|loose| self.loose.extend(loose));
        self.agree(&expected, &got)
    }

    fn intrude(&mut self, port: Port, v6: bool) -> Result<(), String> {
        let socket = Socket {
            port: self.model.number(port),
            family: if v6 { Family::V6 } else { Family::V4 },
            state: State::Listening,
        };
        if v6 && !self.model.has_ipv6 {
            return Ok(());
        }
        let addr = socket.family.loopback(socket.port);
        let got = bound(addr, Type::STREAM, true).and_then(|raw| raw.listen(1).map(|()| raw));
        let can = self.model.intrude(socket);
        if got.is_ok() != can {
            return Err(format!("expected {can}, got {got:?}"));
        }
        self.loose
            .extend(got.ok().map(|socket| Box::new(socket) as Kept));
        Ok(())
    }

    fn end(&mut self, nth: Index) {
        if !self.loose.is_empty() {
            let nth = nth.index(self.loose.len());
            self.model.loose.remove(nth);
            drop(self.loose.remove(nth));
        }
    }

    /// False when there is no record of a last use.
    fn set_last_used(&self, port: u16, time: SystemTime) -> bool {
        self.store.set_last_used(port, time).is_ok()
    }

    fn agree<T: PartialEq + Debug>(
        &mut self,
        expected: &Expected<T>,
        got: &Result<T, Error>,
    ) -> Result<(), String> {
        self.outcomes.count(got.as_ref().err().map(Error::kind));
        let agrees = match (expected, got) {
            (Ok(expected), Ok(got)) => expected == got,
            (Err(kinds), Err(error)) => kinds.contains(&error.kind()),
            _ => false,
        };
        if agrees {
            Ok(())
        } else {
            Err(format!("expected {expected:?}, got {got:?}"))
        }
    }
}
