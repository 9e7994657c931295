//! The whole story, from ids to guards.

use std::borrow::Cow;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use once_cell::sync::Lazy;

use crate::error::{Cause, Error, ErrorKind, Seconds};
use crate::files;
use crate::forget;
use crate::guard::PortGuard;
use crate::hold::{self, Hold, Refused};
use crate::holder::Holder;
use crate::lease::Lease;
use crate::occupant::{Occupants, Protocol};
use crate::port_for::PortFor;
use crate::ports::{self, PortSet};
use crate::request::{OnBusy, Request, Wish};
use crate::socket;
use crate::startup;
use crate::store::{Snapshot, Store, Transaction};
use crate::wait::{Wait, Waiter, without_pending};

/// How long one and the same thing may be in the way before it is said on stderr what that is.
const PATIENCE: Duration = Duration::from_secs(1);
/// The first port that needs no privileges to bind.
const UNPRIVILEGED: u16 = 1024;

/// After which time an assignment that nobody uses makes room for another one, once there is no room left.
const STALE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Makes all the requested ports yours, or none.
pub(crate) fn guards(
    port_for: &PortFor,
    requests: &[Request<'_>],
) -> Result<Vec<PortGuard>, Error> {
    without_pending(guards_for(Waiter::Thread, port_for, requests))
}

/// The story itself. It is told once, for threads and for tasks: only the waiting differs.
pub(crate) async fn guards_for(
    waiter: Waiter,
    port_for: &PortFor,
    requests: &[Request<'_>],
) -> Result<Vec<PortGuard>, Error> {
    let limit = requests.iter().map(Request::limit).max();
    let mut wait = Wait::of(waiter, limit.unwrap_or_default());
    check(requests)?;
    let mut guards = 'again: loop {
        // 0. A socket that this process was started with has its port already, and the lease is with whoever started it.
        let (inherited, asked): (Vec<_>, Vec<_>) =
            requests.iter().partition(|request| is_inherited(request));
        // 1. Which ports? Those that the store remembers; the ids that it does not know get theirs now.
        //    Who writes the store at the moment is not who has the port: `OnBusy::Fail` waits for them.
        let ports = if let Some(ports) = last_read(port_for, &asked)? {
            ports
        } else {
            let timeout = requests.iter().map(|request| request.timeout).max();
            let timeout = timeout.unwrap_or_default().max(Wait::GLANCE);
            let left = timeout.saturating_sub(wait.elapsed());
            let mut for_store = Wait::of(waiter, left);
            unlocked(&mut for_store, |limit| assign(port_for, &asked, limit)).await?
        };
        // 2. Ours alone. In the order of the ports, so that two who want the same ones never wait for each other.
        let mut order: Vec<usize> = (0..asked.len()).collect();
        order.sort_unstable_by_key(|&nth| ports[nth]);
        let mut leases: Vec<_> = asked.iter().map(|_| None).collect();
        for nth in order {
            leases[nth] = lease(port_for, &asked, &ports, nth, &mut wait).await?;
            if leases[nth].is_none() {
                continue 'again;
            }
        }
        // 3. Meanwhile an id may have been released, or moved.
        if !still_assigned(port_for, &asked, &ports)? {
            continue;
        }
        // 4. Held.
        let leases = leases.into_iter().flatten();
        let Some(mut guards) = hold_all(port_for, &asked, &ports, leases, &mut wait).await? else {
            continue;
        };
        if adopt_all(&inherited, &mut guards, &mut wait).await? {
            break guards;
        }
    };
    guards
        .sort_unstable_by_key(|guard| requests.iter().position(|request| request.id == guard.id()));
    Ok(guards)
}

/// For those who know how many requests there were.
pub(crate) fn array<const N: usize>(guards: Vec<PortGuard>) -> [PortGuard; N] {
    guards
        .try_into()
        .expect("there is one guard for each request")
}

/// Does what may change the store, again and again while its lock is held.
async fn unlocked<T>(
    wait: &mut Wait,
    change: impl Fn(Duration) -> Result<T, Error>,
) -> Result<T, Error> {
    loop {
        let mut error = match change(wait.left_for_blocking()) {
            Ok(changed) => return Ok(changed),
            Err(error) => error,
        };
        let Some(waited) = error.waited_for_store() else {
            return Err(error);
        };
        *waited = wait.elapsed();
        if !wait.rest().await {
            return Err(error);
        }
    }
}

/// The ports of the requested ids, for somebody who wants no more than the numbers.
pub(crate) fn numbers(port_for: &PortFor, requests: &[Request<'_>]) -> Result<Vec<u16>, Error> {
    let store = port_for.store();
    check(requests)?;
    let requests: Vec<_> = requests.iter().collect();
    let ports = assign(port_for, &requests, port_for.config().timeout)?;
    if let Some(access) = store.access()? {
        for &port in &ports {
            // A store that we may only read still tells the port; that this was a use stays unknown then.
            let _ = store.leases().note_use(port, access);
        }
    }
    Ok(ports)
}

/// What is wrong with the requests whatever the store says, before anything is waited for.
fn check(requests: &[Request<'_>]) -> Result<(), Error> {
    for (nth, request) in requests.iter().enumerate() {
        request.host.addrs(request.id, 0)?;
        if requests[..nth].iter().any(|other| other.id == request.id) {
            let id = request.id.to_owned();
            return Err(Cause::Twice { id }.into());
        }
    }
    Ok(())
}

/// The ports of the requested ids: remembered, or assigned now.
pub(crate) fn assign(
    port_for: &PortFor,
    requests: &[&Request<'_>],
    limit: Duration,
) -> Result<Vec<u16>, Error> {
    with_room(port_for, requests, limit, || {
        try_assign(port_for, requests, limit)
    })
}

/// Tries again if there is no port left, and forgetting what nobody uses any more leaves one.
fn with_room<T>(
    port_for: &PortFor,
    requests: &[&Request<'_>],
    limit: Duration,
    attempt: impl Fn() -> Result<T, Error>,
) -> Result<T, Error> {
    match attempt() {
        Err(error) if error.kind() == ErrorKind::Exhausted => {
            let pools = requests.iter().map(|request| pool(port_for, request));
            let wanted = pools.fold(PortSet::new(), |all, pool| all.union(pool));
            let asked = keys(port_for, requests)?;
            let forgotten = forget::make_room(port_for, limit, STALE, &wanted, &asked)?;
            if forgotten.is_empty() {
                return Err(error);
            }
            let named: Vec<_> = forgotten
                .iter()
                .map(|was| format!("`{}` (port {})", was.id(), was.port()))
                .collect();
            tell(&format!(
                "no port was left; forgot what nobody has used for 30 days: {}",
                named.join(", ")
            ));
            attempt()
        }
        done => done,
    }
}

/// All in one write.
fn try_assign(
    port_for: &PortFor,
    requests: &[&Request<'_>],
    limit: Duration,
) -> Result<Vec<u16>, Error> {
    let store = port_for.store();
    let keys = keys(port_for, requests)?;
    if let Some(ports) = remembered(store, &*store.snapshot()?, requests, &keys)? {
        return Ok(ports);
    }
    let mut change = store.begin(limit)?;
    // Demands first: what they name is then nobody's choice.
    let (demands, others): (Vec<_>, Vec<_>) = (requests.iter().zip(&keys))
        .partition(|(request, _)| matches!(request.wish, Wish::Exact(_)));
    for (request, key) in demands.into_iter().chain(others) {
        if change.snapshot().port_of(key).is_none() {
            let port = choose(port_for, &change, request, key)?;
            change.assign(key, port);
        }
    }
    let ports = remembered(store, change.snapshot(), requests, &keys)?;
    change.commit()?;
    Ok(ports.expect("every id has a port by now"))
}

/// The ports of the ids by what was last read of the store, if it knows all of them: it may have changed since. A demand
/// is not met by that.
fn last_read(port_for: &PortFor, requests: &[&Request<'_>]) -> Result<Option<Vec<u16>>, Error> {
    let Some(snapshot) = port_for.store().last_read() else {
        return Ok(None);
    };
    let mut ports = Vec::with_capacity(requests.len());
    for request in requests {
        match snapshot.port_of(&port_for.key(request.id)?) {
            Some(port) if !matches!(request.wish, Wish::Exact(_)) => ports.push(port),
            _ => return Ok(None),
        }
    }
    Ok(Some(ports))
}

fn keys<'a>(port_for: &PortFor, requests: &[&Request<'a>]) -> Result<Vec<Cow<'a, str>>, Error> {
    requests
        .iter()
        .map(|request| port_for.key(request.id))
        .collect()
}

/// The ports of the ids, if the store knows all of them.
fn remembered(
    store: &Store,
    snapshot: &Snapshot,
    requests: &[&Request<'_>],
    keys: &[Cow<'_, str>],
) -> Result<Option<Vec<u16>>, Error> {
    let mut ports = Vec::with_capacity(keys.len());
    for (request, key) in requests.iter().zip(keys) {
        let port = snapshot.port_of(key);
        if let Wish::Exact(wanted) = request.wish {
            check_exact(store, snapshot, key, wanted, port)?;
        }
        ports.extend(port);
    }
    Ok((ports.len() == keys.len()).then_some(ports))
}

/// An exact port conflicts with another one of the same id, and with another id that has it.
fn check_exact(
    store: &Store,
    snapshot: &Snapshot,
    key: &str,
    wanted: u16,
    port: Option<u16>,
) -> Result<(), Error> {
    let (id, store) = (key.to_owned(), store.path().to_owned());
    let conflict = match port {
        _ if wanted == 0 => Cause::NotAPort { id },
        Some(has) if has == wanted => return Ok(()),
        Some(has) => Cause::HasOtherPort {
            id,
            wanted,
            has,
            store,
        },
        None => match snapshot.id_of(wanted) {
            None => return Ok(()),
            Some(other) => Cause::PortOfOther {
                id,
                wanted,
                other: other.to_owned(),
                store,
            },
        },
    };
    Err(conflict.into())
}

/// A port for an id that has none: the one that was wished for, or the first of the id's own order that is in the
/// pool and nobody's. The store's lock is held.
fn choose(
    port_for: &PortFor,
    change: &Transaction<'_>,
    request: &Request<'_>,
    key: &str,
) -> Result<u16, Error> {
    if let Wish::Exact(port) = request.wish {
        // Somebody can have got it since the store was read without its lock.
        check_exact(port_for.store(), change.snapshot(), key, port, None)?;
        return Ok(port);
    }
    let assigned: PortSet = change.snapshot().iter().map(|(_, port)| port).collect();
    let leases = port_for.store().leases();
    let is_held = |port| Ok::<_, Error>(leases.holder(port, change.access())?.is_some());
    let is_free = |port| {
        socket::can_be_bound(port).map_err(|source| refused(request.id, at_localhost(port), source))
    };
    if let Wish::Default(port) = request.wish
        && port >= UNPRIVILEGED
        && !assigned.contains(port)
        && !is_held(port)?
        && is_free(port)?
    {
        return Ok(port);
    }
    let pool = pool(port_for, request);
    let (mut held, mut taken) = (0, 0);
    for port in ports::walk(key) {
        if !pool.contains(port) || assigned.contains(port) {
            continue;
        }
        if is_held(port)? {
            held += 1;
        } else if is_free(port)? {
            return Ok(port);
        } else {
            taken += 1;
        }
    }
    Err(Cause::Exhausted {
        id: request.id.to_owned(),
        considered: pool.len(),
        assigned: pool.intersection(&assigned).len(),
        held,
        taken,
        store: port_for.store().path().to_owned(),
    }
    .into())
}

/// What an id gets its first port from.
fn pool<'a>(port_for: &'a PortFor, request: &'a Request<'_>) -> &'a PortSet {
    // The system is asked once by each process: its answers rarely change, and cost as much as the rest of the choice.
    static GOOD: Lazy<PortSet> = Lazy::new(PortSet::good);
    let pool = request.ports.as_ref();
    let pool = pool.or_else(|| port_for.config().pool.as_ref());
    pool.unwrap_or_else(|| &GOOD)
}

/// The lease of the nth port, waited for if somebody has it; none when one of the ports is not its id's any more.
async fn lease(
    port_for: &PortFor,
    requests: &[&Request<'_>],
    ports: &[u16],
    nth: usize,
    wait: &mut Wait,
) -> Result<Option<Lease>, Error> {
    let (request, port) = (requests[nth], ports[nth]);
    let store = port_for.store();
    let leases = store.leases();
    // An assignment was just read from the folder: it is there.
    let Some(access) = store.access()? else {
        return Err(files::failed(
            "find the folder",
            store.path(),
            io::ErrorKind::NotFound.into(),
        ));
    };
    let (began, mut told) = (Instant::now(), false);
    loop {
        if let Some(lease) = leases.try_take(port, access)? {
            return Ok(Some(lease));
        }
        // Or the wait would be for whoever has the port now.
        if !still_assigned(port_for, requests, ports)? {
            return Ok(None);
        }
        let id = request.id;
        if wait.is_all_the_waiter_does() && leases.is_held_by_the_asker(port) {
            let id = id.to_owned();
            return Err(Cause::Deadlock { id, port }.into());
        }
        if !told && began.elapsed() >= PATIENCE {
            // Who held it a moment ago may have let go by now: then there is nobody to name.
            if let Some(holder) = leases.holder(port, access)? {
                say(
                    &format!("`{id}` (port {port}) is held by {holder}"),
                    request,
                    wait,
                );
                told = true;
            }
        }
        if !wait.rest().await {
            return Err(Cause::Busy {
                id: id.to_owned(),
                port,
                holder: Holder::read(&leases.path(port)),
                waited: wait.elapsed(),
                lease: leases.path(port),
                advice: request.advice_to_wait(),
            }
            .into());
        }
    }
}

fn still_assigned(
    port_for: &PortFor,
    requests: &[&Request<'_>],
    ports: &[u16],
) -> Result<bool, Error> {
    let snapshot = port_for.store().snapshot()?;
    for (request, &port) in requests.iter().zip(ports) {
        if snapshot.port_of(&port_for.key(request.id)?) != Some(port) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Guards in the order of the requests; none when an id was moved to another port, and all has to begin again.
async fn hold_all(
    port_for: &PortFor,
    requests: &[&Request<'_>],
    ports: &[u16],
    leases: impl Iterator<Item = Lease>,
    wait: &mut Wait,
) -> Result<Option<Vec<PortGuard>>, Error> {
    let mut guards = Vec::with_capacity(requests.len());
    for ((request, &port), lease) in requests.iter().zip(ports).zip(leases) {
        let Some(hold) = hold(port_for, request, port, &lease, wait).await? else {
            return Ok(None);
        };
        lease.settle()?;
        guards.push(PortGuard::new(request.id.to_owned(), hold, lease));
    }
    Ok(Some(guards))
}

/// The listening socket, waited for if somebody listens there without a lease; none when the id was moved instead.
async fn hold(
    port_for: &PortFor,
    request: &Request<'_>,
    port: u16,
    lease: &Lease,
    wait: &mut Wait,
) -> Result<Option<Hold>, Error> {
    let id = request.id;
    let addrs = request.host.addrs(id, port)?;
    let mut obstacle = Obstacle::new();
    loop {
        let bound = if lease.is_new() {
            Hold::bind_alone(&addrs, request.udp)
        } else {
            Hold::bind(&addrs, request.udp)
        };
        let taken = match bound {
            Ok(hold) => return Ok(Some(hold)),
            Err(refused) if refused.is_taken() => refused,
            Err(other) => return Err(refused(id, other.addr, other.source)),
        };
        if request.on_busy == OnBusy::Move && !matches!(request.wish, Wish::Exact(_)) {
            unlocked(wait, |limit| {
                with_room(port_for, &[request], limit, || {
                    move_away(port_for, request, port, taken.protocol, limit)
                })
            })
            .await?;
            return Ok(None);
        }
        obstacle.outlast(request, taken, wait).await?;
    }
}

/// Somebody who has a port without a lease.
struct Obstacle {
    /// When it was met: a lease may have been waited for before. Who had it may still be closing its server's socket,
    /// and is no stranger yet.
    met: Instant,
    told: bool,
}

impl Obstacle {
    fn new() -> Self {
        Self {
            met: Instant::now(),
            told: false,
        }
    }

    /// Waits for a moment, and says after a while for whom.
    ///
    /// # Errors
    ///
    /// [`Occupied`](ErrorKind::Occupied) when the time is up.
    async fn outlast(
        &mut self,
        request: &Request<'_>,
        taken: Refused,
        wait: &mut Wait,
    ) -> Result<(), Error> {
        let id = request.id;
        let (port, protocol) = (taken.addr.port(), taken.protocol);
        let listens_there = protocol.listens_there();
        if !self.told && self.met.elapsed() >= PATIENCE {
            let occupants = Occupants::of(protocol, port);
            say(
                &format!("`{id}` has port {port}, but somebody else {listens_there}: {occupants}"),
                request,
                wait,
            );
            self.told = true;
        }
        if wait.rest().await {
            return Ok(());
        }
        Err(Cause::Occupied {
            id: id.to_owned(),
            port,
            // Before the look at all processes, which can take a while.
            waited: wait.elapsed(),
            occupants: Occupants::of(protocol, port),
            listens_there,
            source: taken.source,
        }
        .into())
    }
}

/// Whether this process was started with a socket of that name, and not one at another port than is demanded.
fn is_inherited(request: &Request<'_>) -> bool {
    startup::inherited_port(request.id).is_some_and(|port| match request.wish {
        Wish::Exact(wanted) => port == wanted,
        Wish::Any | Wish::Default(_) => true,
    })
}

/// Guards for the sockets that this process was started with, all or none; false when another thread was faster.
async fn adopt_all(
    requests: &[&Request<'_>],
    guards: &mut Vec<PortGuard>,
    wait: &mut Wait,
) -> Result<bool, Error> {
    if requests.is_empty() {
        return Ok(true);
    }
    let ids: Vec<_> = requests.iter().map(|request| request.id).collect();
    // Unless all goes well, they go back to where they came from.
    let Some(sockets) = startup::take_all(&ids) else {
        return Ok(false);
    };
    let mut places = Vec::with_capacity(ids.len());
    for (request, listener) in requests.iter().zip(sockets.listeners()) {
        let unknown = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let addr =
            (listener.local_addr()).map_err(|source| refused(request.id, unknown, source))?;
        let mut udp = None;
        if request.udp {
            udp = Some(udp_beside(request, addr, wait).await?);
        }
        places.push((addr, udp));
    }
    for ((id, listener), (addr, udp)) in ids.into_iter().zip(sockets.keep()).zip(places) {
        let hold = Hold::inherited(addr, listener, udp);
        guards.push(PortGuard::inherited(id.to_owned(), hold));
    }
    Ok(true)
}

/// The UDP port beside a socket that this process was started with, waited for if somebody has it: whoever started this
/// process may have asked for it as well.
async fn udp_beside(
    request: &Request<'_>,
    addr: SocketAddr,
    wait: &mut Wait,
) -> Result<UdpSocket, Error> {
    let mut obstacle = Obstacle::new();
    loop {
        match hold::bind_udp(addr) {
            Ok(socket) => return Ok(socket),
            Err(taken) if taken.is_taken() => obstacle.outlast(request, taken, wait).await?,
            Err(other) => return Err(refused(request.id, addr, other.source)),
        }
    }
}

/// Assigns another port to an id whose lease we have and whose port a stranger has.
fn move_away(
    port_for: &PortFor,
    request: &Request<'_>,
    port: u16,
    protocol: Protocol,
    limit: Duration,
) -> Result<(), Error> {
    let key = port_for.key(request.id)?;
    let mut change = port_for.store().begin(limit)?;
    if change.snapshot().port_of(&key) == Some(port) {
        // Still among the assigned, and occupied: it will not be chosen again.
        let other = choose(port_for, &change, request, &key)?;
        change.assign(&key, other);
        change.commit()?;
        let id = request.id;
        let occupants = Occupants::of(protocol, port);
        let listens_there = protocol.listens_there();
        tell(&format!(
            "`{id}` has port {other} from now on; at {port}, somebody else {listens_there}: {occupants}"
        ));
    }
    Ok(())
}

/// A guard for `first` or the next port that is free, without an id and an assignment.
pub(crate) fn available_port(port_for: &PortFor, first: u16) -> Result<PortGuard, Error> {
    // No id has this name, for none may begin so.
    const NAME: &str = "-";
    // Under the store's lock: nobody assigns a port that we are about to take.
    let change = port_for.store().begin(port_for.config().timeout)?;
    let is_free = |port| {
        socket::can_be_bound(port).map_err(|source| refused(NAME, at_localhost(port), source))
    };
    let first = if first == 0 { UNPRIVILEGED } else { first };
    for port in first..=u16::MAX {
        if change.snapshot().id_of(port).is_some() || !is_free(port)? {
            continue;
        }
        let Some(lease) = port_for.store().leases().try_take(port, change.access())? else {
            continue;
        };
        match Hold::bind(&[at_localhost(port)], false) {
            Ok(hold) => {
                lease.settle()?;
                return Ok(PortGuard::new(NAME.to_owned(), hold, lease));
            }
            Err(refused) if refused.is_taken() => {}
            Err(other) => return Err(refused(NAME, other.addr, other.source)),
        }
    }
    Err(Cause::NoneAbove { first }.into())
}

impl Request<'_> {
    fn limit(&self) -> Duration {
        match self.on_busy {
            OnBusy::Fail => Wait::GLANCE,
            OnBusy::Wait | OnBusy::Move => self.timeout.max(Wait::GLANCE),
        }
    }

    /// Whether it was not the environment that said how long to wait.
    fn has_own_timeout(&self) -> bool {
        self.timeout != self.port_for.config().timeout
    }

    /// What to do when the wait was too short.
    fn advice_to_wait(&self) -> &'static str {
        match self.on_busy {
            OnBusy::Fail => "let it end, or ask with another `on_busy` to wait for it",
            _ if self.has_own_timeout() => "let it end, or ask with a longer timeout",
            _ => "let it end, or wait longer with `PORT_FOR_TIMEOUT` (seconds)",
        }
    }
}

fn at_localhost(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn refused(id: &str, addr: SocketAddr, source: io::Error) -> Error {
    let advice = match source.kind() {
        io::ErrorKind::PermissionDenied if addr.port() < UNPRIVILEGED => {
            "ports below 1024 need privileges: release the id, and ask for another port"
        }
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::InvalidInput => {
            "no network interface has this address: use another host"
        }
        _ => "the system says why, and it is not that somebody else has the port",
    };
    Cause::Bind {
        id: id.to_owned(),
        addr,
        source,
        advice,
    }
    .into()
}

fn say(what: &str, request: &Request<'_>, wait: &Wait) {
    let (waited, limit) = (Seconds(wait.elapsed()), Seconds(wait.limit()));
    let variable = if request.has_own_timeout() {
        ""
    } else {
        " (`PORT_FOR_TIMEOUT`)"
    };
    tell(&format!(
        "{what}; waiting, {waited} so far of at most {limit}{variable}"
    ));
}

fn tell(message: &str) {
    // Not `eprintln!`, which a test's output capture would keep back until the wait is over, and in one piece, for
    // others who wait may write to the same terminal. A closed stderr is no reason to fail.
    let _ = io::stderr().write_all(format!("port-for: {message}\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_one_id_demands_is_not_chosen_for_another_of_the_same_call() {
        let folder = tempfile::tempdir().unwrap();
        let open = |name| PortFor::open(folder.path().join(name)).unwrap();
        let chosen = open("one").forward_port("api", 0).unwrap();
        let store = open("two");
        let requests = [store.request("api"), store.request("db").exact_port(chosen)];
        let ports = assign(&store, &requests.each_ref(), Duration::ZERO).unwrap();
        assert_eq!(ports[1], chosen);
        assert_ne!(ports[0], chosen);
    }

    #[test]
    fn no_room_is_made_of_an_id_that_the_same_call_asks_for() {
        let folder = tempfile::tempdir().unwrap();
        let store = PortFor::open(folder.path().join("ports.json")).unwrap();
        let port = store.forward_port("old", 0).unwrap();
        let lease = std::fs::File::options()
            .write(true)
            .open(store.store().leases().path(port));
        let long_ago = std::time::SystemTime::now() - 2 * STALE;
        lease.unwrap().set_modified(long_ago).unwrap();

        let pool = PortSet::from([port]);
        let requests = ["new", "old"].map(|id| store.request(id).ports(pool.clone()));
        let error = assign(&store, &requests.each_ref(), Duration::ZERO).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Exhausted);
        assert_eq!(store.forward_port("old", 0).unwrap(), port);
        assert_eq!(store.assignments().unwrap().len(), 1);
    }

    #[test]
    fn what_the_system_refuses_comes_with_advice() {
        for (port, kind, advice) in [
            (80, io::ErrorKind::PermissionDenied, "need privileges"),
            (1023, io::ErrorKind::PermissionDenied, "need privileges"),
            (1024, io::ErrorKind::PermissionDenied, "the system says why"),
            (80, io::ErrorKind::OutOfMemory, "the system says why"),
            (80, io::ErrorKind::AddrNotAvailable, "no network interface"),
            (80, io::ErrorKind::InvalidInput, "no network interface"),
        ] {
            let error = refused("api", at_localhost(port), kind.into()).to_string();
            assert!(error.contains(advice), "{port}: {error}");
        }
    }

    #[test]
    fn what_was_read_last_answers_for_ids_that_it_knows_and_for_no_demand() {
        let folder = tempfile::tempdir().unwrap();
        let store = PortFor::open(folder.path().join("ports.json")).unwrap();
        let last = |requests: &[&Request<'_>]| last_read(&store, requests).unwrap();
        let [api, new] = ["api", "new"].map(|id| store.request(id));
        assert_eq!(last(&[&api]), None);
        let port = store.forward_port("api", 0).unwrap();
        store.assignments().unwrap();
        assert_eq!(last(&[&api]), Some(vec![port]));
        assert_eq!(last(&[&api, &new]), None);
        assert_eq!(last(&[&store.request("api").exact_port(port)]), None);
    }
}
