//! The figures that this crate wants to reach, each measured beside its floor and its peers in the same run.
//!
//! `cargo bench --bench figures` prints them all and draws `benches/growth.svg`; with a part of a name after `--`, only
//! those rows; with `-- --test`, each once, to see that it runs: nothing is to be read from the numbers then.

#![allow(missing_docs, unreachable_pub)]
#![allow(
    clippy::disallowed_methods,
    reason = "children and cargo are told by environment"
)]
#![allow(clippy::cast_precision_loss, reason = "no number here is beyond 2^52")]

mod builds;
mod children;
mod crowd;
mod growth;
mod handouts;
mod measure;
mod processes;
#[cfg(target_os = "linux")]
mod servers;
mod suite;
#[path = "../support/mod.rs"]
mod support;
mod written;

use measure::Figure;

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    Full,
    /// Everything once, except what takes minutes.
    Once,
}

impl Effort {
    #[must_use]
    pub fn rounds(self, full: usize) -> usize {
        match self {
            Self::Full => full,
            Self::Once => 1,
        }
    }
}

type Row = fn(Effort) -> Vec<Figure>;

/// The table. Rows that compile something are in [`builds::ROWS`].
const ROWS: &[(&str, Row)] = &[
    // Before those that remove many files: of each that was removed in the last minutes, ext4 makes sure that it does not
    // use its number again, whenever it makes a new one.
    ("new id", handouts::new_id),
    ("handout", handouts::known_id),
    ("any port", handouts::any),
    ("threads and stores", handouts::threads_and_stores),
    ("first guard", processes::first_guard),
    ("memory", processes::memory),
    ("crowd", crowd::at_once),
    ("batch", crowd::batch),
    ("hand along", crowd::hand_along),
    #[cfg(target_os = "linux")]
    ("servers", servers::servers),
    ("suite", suite::suite),
    ("growth", growth::growth),
];

fn main() {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == children::CHILD) {
        return children::run(&words[1..]);
    }
    // Cargo says `--bench` when it benches, and nothing when it tests.
    let benches = words.iter().any(|word| word == "--bench");
    let once = words.iter().any(|word| word == "--test") || !benches;
    let effort = if once { Effort::Once } else { Effort::Full };
    words.retain(|word| !word.starts_with('-'));
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(&**word));

    println!("{}", Figure::HEADER);
    for &(name, row) in ROWS {
        if wanted(name) {
            print(&row(effort));
        }
    }
    for (name, row) in builds::ROWS {
        if wanted(name) {
            match effort {
                Effort::Full => print(&row(effort)),
                Effort::Once => println!("{name}: skipped, for it compiles other crates"),
            }
        }
    }
}

fn print(figures: &[Figure]) {
    for figure in figures {
        println!("{figure}");
    }
}
