//! Any sequence of calls does what a model says. Shared by the campaign, which tries thousands, and by the tests, which
//! try some.

mod actual;
mod expected;
mod handoff;
mod look;
mod order;
mod sockets;
mod steps;
mod threads;

use std::cell::RefCell;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;

use port_for::ports::{self, PortSet};
use proptest::test_runner::{
    Config, FileFailurePersistence, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner,
};

use self::actual::Outcomes;
use self::steps::{BEHIND, PORTS};
use self::threads::Threads;

/// The sequences that failed once, which are tried first.
const REGRESSIONS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/support/model/regressions"
);

/// Ports that no other process uses meanwhile, in a row.
#[derive(Debug)]
pub struct Block {
    first: u16,
    /// On the port before them: a process that cannot have it takes others.
    _claim: TcpListener,
}

impl Block {
    /// Of the ports that belong to some service, so that no other test is given one, and that none uses here.
    pub fn claim() -> Self {
        let others = &(&PortSet::unassigned() | &PortSet::ephemeral()) | &PortSet::reserved();
        for claim in (1100..3000).step_by(usize::from(PORTS + BEHIND) + 1) {
            let (first, last) = (claim + 1, claim + PORTS + BEHIND);
            if (first..=last).any(|port| others.contains(port)) {
                continue;
            }
            let Ok(claimed) = TcpListener::bind((Ipv4Addr::UNSPECIFIED, claim)) else {
                continue;
            };
            let is_free = |port| matches!(ports::pick(&PortSet::from([port])), Ok(Some(_)));
            if (first..=last).all(is_free) {
                return Self {
                    first,
                    _claim: claimed,
                };
            }
        }
        panic!("no {PORTS} ports in a row are free");
    }

    /// Makes them all the ports that there are for the command, which runs [`run`].
    pub fn give(&self, command: &mut Command) {
        let pool = format!("{}-{}", self.first, self.first + PORTS - 1);
        command
            .env("PORT_FOR_POOL", pool)
            .env("PORT_FOR_TIMEOUT", "0")
            .env_remove("PORT_FOR_NAMESPACE");
    }
}

/// Tries so many sequences, in a process to itself; always the same ones for a seed. Tells how many steps they had and
/// what the calls came to, or the shortest sequence that failed.
pub fn run(seed: u64, sequences: u32) -> Result<String, String> {
    let threads = Threads::start();
    let namespace = std::env::var("PORT_FOR_NAMESPACE").ok();
    let namespace = namespace.filter(|namespace| !namespace.is_empty());
    let config = Config {
        cases: sequences,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        max_shrink_iters: 2_000,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let (mut steps, mut outcomes) = (0, Outcomes::default());
    let told = RefCell::new((&mut steps, &mut outcomes));
    let tried = TestRunner::new_with_rng(config, random).run(&steps::story(), |story| {
        let (steps, outcomes) = &mut *told.borrow_mut();
        **steps += story.steps.len();
        let told = actual::tell(&story, &threads, namespace.as_deref(), outcomes);
        told.map_err(TestCaseError::fail)
    });
    match tried {
        Ok(()) => Ok(format!("steps={steps} {outcomes}")),
        Err(TestError::Abort(why)) => Err(why.to_string()),
        Err(TestError::Fail(why, story)) => Err(format!("{why}; of {story:?}")),
    }
}
