//! What can be done with a store, as data: made up by proptest, and shrunk by it.

use std::sync::LazyLock;

use port_for::OnBusy;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// A store's life, from its beginning.
#[derive(Debug, Clone)]
pub struct Story {
    /// Whether another namespace has an assignment.
    pub has_foreign: bool,
    pub steps: Vec<Step>,
}

/// One call, or one thing that others do.
#[derive(Debug, Clone)]
pub enum Step {
    /// `request(…).assign()`.
    Assign(Caller, Ask),
    ForwardPort(Caller, &'static str, Port),
    /// `request(…).guard()`.
    Ask(Caller, Ask),
    Guard(Caller, &'static str),
    Guards(Caller, Vec<&'static str>),
    AvailablePort(Caller, Port),
    Release(Caller, &'static str),
    /// Forgets what was not used for that many days.
    Prune(Caller, u64),
    /// On one of the guards that there are.
    Use(Thread, Index, Use),
    /// Another handle of the store takes the place of this one.
    Reopen(usize),
    /// A stranger listens on a port, at the loopback of IPv6 or IPv4.
    Intrude(Port, bool),
    /// One of them, or of the servers that were given a socket, ends.
    End(Index),
    /// The port is unused for more than a month.
    Age(Port),
}

/// By which handle of the store, and from which thread.
#[derive(Debug, Clone, Copy)]
pub struct Caller {
    pub handle: usize,
    pub thread: Thread,
}

pub const HANDLES: usize = 3;
pub const THREADS: usize = 2;
pub type Thread = usize;

/// How many ports there are.
pub const PORTS: u16 = 6;

/// How far above its port a companion is.
const ABOVE: u16 = 3;
/// How many ports behind those that there are can be companions, or of a demanded block.
pub const BEHIND: u16 = ABOVE + 2;

/// The nth of the ports that there are, or a number as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    Nth(u16),
    Number(u16),
}

#[derive(Debug, Clone)]
pub struct Ask {
    pub id: &'static str,
    pub wish: Wish,
    /// Those to choose from, if not all.
    pub ports: Option<Vec<u16>>,
    pub host: Option<&'static str>,
    pub udp: bool,
    pub on_busy: OnBusy,
    /// How many ports in a row, and how far above each its companions are.
    pub block: u16,
    pub companions: &'static [u16],
}

impl Ask {
    /// For the id, and nothing more said.
    pub fn plain(id: &'static str) -> Self {
        Self {
            id,
            wish: Wish::Any,
            ports: None,
            host: None,
            udp: false,
            on_busy: OnBusy::Wait,
            block: 1,
            companions: &[],
        }
    }

    /// How far above the first port all are, from 0 on.
    pub fn offsets(&self) -> Vec<u16> {
        let block = 0..self.block;
        let companions = self.companions.iter();
        let companions = companions.flat_map(|above| block.clone().map(move |nth| nth + above));
        block.clone().chain(companions).collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    Any,
    Default(Port),
    Exact(Port),
}

/// What is done with a guard.
#[derive(Debug, Clone, Copy)]
pub enum Use {
    TakeListener,
    TakeUdpSocket,
    Vacate,
    ReleaseHold,
    /// Though it may be in vain, which takes a second.
    Rearm {
        in_vain: bool,
    },
    Release,
    Drop,
}

/// The host that is no address, and one of no machine.
pub const UNKNOWN_HOST: &str = "nowhere.example";
pub const ABSENT_HOST: &str = "192.0.2.1";

const GOOD_IDS: [&str; 6] = ["a", "b", "c", "d", "é/ü 🚀", "crate::test::port"];

static LONGEST: LazyLock<String> = LazyLock::new(|| "x".repeat(255));
static TOO_LONG: LazyLock<String> = LazyLock::new(|| "é".repeat(128));

fn id() -> impl Strategy<Value = &'static str> {
    let bad = ["", "-a", "a\nb", "\u{85}", &TOO_LONG];
    prop_oneof![30 => select(&GOOD_IDS[..]), 1 => Just(LONGEST.as_str()), 1 => select(bad.to_vec())]
}

fn caller() -> impl Strategy<Value = Caller> {
    (0..HANDLES, 0..THREADS).prop_map(|(handle, thread)| Caller { handle, thread })
}

fn nth() -> impl Strategy<Value = Port> {
    (0..PORTS).prop_map(Port::Nth)
}

/// Or one that cannot be had: none, or one of those that need privileges.
fn port_or(others: &'static [u16]) -> impl Strategy<Value = Port> {
    prop_oneof![8 => nth(), 1 => select(others).prop_map(Port::Number)]
}

fn ask() -> impl Strategy<Value = Ask> {
    let wish = prop_oneof![
        4 => Just(Wish::Any),
        2 => port_or(&[0, 80]).prop_map(Wish::Default),
        1 => port_or(&[0]).prop_map(Wish::Exact),
    ];
    let ports = prop_oneof![
        3 => Just(None),
        1 => vec(0..PORTS, 0..4).prop_map(Some),
    ];
    let host = prop_oneof![
        12 => Just(None),
        4 => select(&["localhost", "::1", "0.0.0.0", "127.0.0.1"][..]).prop_map(Some),
        1 => select(&[UNKNOWN_HOST, ABSENT_HOST][..]).prop_map(Some),
    ];
    let udp = prop::bool::weighted(0.2);
    let on_busy = select(&[OnBusy::Fail, OnBusy::Wait, OnBusy::Wait, OnBusy::Move][..]);
    let block = prop_oneof![4 => Just(1_u16), 1 => 2..=3_u16];
    let companions = prop_oneof![4 => Just(&[][..]), 1 => Just(&[ABOVE][..])];
    let all = (id(), wish, ports, host, udp, on_busy, block, companions);
    all.prop_map(
        |(id, wish, ports, host, udp, on_busy, block, companions)| Ask {
            id,
            wish,
            ports,
            host,
            udp,
            on_busy,
            block,
            companions,
        },
    )
}

fn usage() -> impl Strategy<Value = Use> {
    prop_oneof![
        3 => Just(Use::TakeListener),
        1 => Just(Use::TakeUdpSocket),
        3 => Just(Use::Vacate),
        2 => Just(Use::ReleaseHold),
        4 => prop::bool::weighted(0.1).prop_map(|in_vain| Use::Rearm { in_vain }),
        2 => Just(Use::Release),
        5 => Just(Use::Drop),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (caller(), ask()).prop_map(|(caller, ask)| Step::Assign(caller, ask)),
        2 => (caller(), id(), port_or(&[0, 80])).prop_map(|(caller, id, port)| Step::ForwardPort(caller, id, port)),
        8 => (caller(), ask()).prop_map(|(caller, ask)| Step::Ask(caller, ask)),
        3 => (caller(), id()).prop_map(|(caller, id)| Step::Guard(caller, id)),
        3 => (caller(), vec(id(), 2..=3)).prop_map(|(caller, ids)| Step::Guards(caller, ids)),
        2 => (caller(), nth()).prop_map(|(caller, port)| Step::AvailablePort(caller, port)),
        3 => (caller(), id()).prop_map(|(caller, id)| Step::Release(caller, id)),
        1 => (caller(), select(&[0, 30][..])).prop_map(|(caller, days)| Step::Prune(caller, days)),
        20 => (0..THREADS, any::<Index>(), usage()).prop_map(|(thread, nth, usage)| Step::Use(thread, nth, usage)),
        1 => (0..HANDLES).prop_map(Step::Reopen),
        4 => (nth(), prop::bool::weighted(0.2)).prop_map(|(port, v6)| Step::Intrude(port, v6)),
        4 => any::<Index>().prop_map(Step::End),
        3 => nth().prop_map(Step::Age),
    ]
}

pub fn story() -> impl Strategy<Value = Story> {
    (any::<bool>(), vec(step(), 1..30))
        .prop_map(|(has_foreign, steps)| Story { has_foreign, steps })
}
