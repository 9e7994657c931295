//! One process that is handed a port and gives it back: who takes how long.
//!
//! `cargo bench --bench handout`. The figures that matter, with their targets, are in `figures`.

#![allow(missing_docs)]

#[path = "support/mod.rs"]
mod support;

use divan::Bencher;
use support::{FLOOR, OURS, PEERS, handout, ids, store_of};

fn main() {
    divan::main();
}

#[divan::bench(args = [FLOOR, OURS].into_iter().chain(PEERS))]
fn by(bencher: Bencher<'_, '_>, name: &str) {
    let ids = ids(10);
    let store = store_of(10, &ids);
    bencher.bench_local(handout(name, &store, &ids[0]));
}

#[divan::bench(args = [10, 1_000, 20_000, 60_000])]
fn guard_from_a_store_of(bencher: Bencher<'_, '_>, size: usize) {
    let ids = ids(1);
    let store = store_of(size, &ids);
    bencher.bench_local(handout(OURS, &store, &ids[0]));
}
