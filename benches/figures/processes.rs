//! What a process pays once: each test is one under nextest.

use std::time::Duration;

use crate::Effort;
use crate::children::{Reporter, command, wait_for};
use crate::measure::{Figure, Target, median, side_by_side};
use crate::support::{FLOOR, OURS, TempStore, ids, store_of};

/// A process that is handed one port and ends, against one that binds one and ends.
pub fn first_guard(effort: Effort) -> Vec<Figure> {
    const SIZES: [(usize, f64); 3] = [(100, 0.2), (1_000, 0.4), (20_000, 2.0)];
    let ids = ids(1);
    let id = &*ids[0];
    let stores = SIZES.map(|(size, _)| store_of(size, &ids));
    let port = stores[0].forward_port(id, 0).unwrap().to_string();
    let run = |store: &TempStore, name, what| {
        wait_for(command(store.path(), &["first", name, what]));
    };
    let [floor, times @ ..] = side_by_side(
        effort.rounds(300),
        1,
        [
            &mut || run(&stores[0], FLOOR, &port),
            &mut || run(&stores[0], OURS, id),
            &mut || run(&stores[1], OURS, id),
            &mut || run(&stores[2], OURS, id),
        ],
    );
    let rows = SIZES.iter().zip(times);
    rows.map(|(&(size, most), time)| {
        let what = format!("first guard of a process, {size} assignments");
        let target = Target::AtMost(most);
        Figure::more(&what, "a process that binds", floor, time, target)
    })
    .collect()
}

/// The most memory that a process takes, against that of one that binds.
pub fn memory(effort: Effort) -> Vec<Figure> {
    const SIZE: usize = 20_000;
    let ids = ids(1);
    let store = store_of(SIZE, &ids);
    let port = store.forward_port(&ids[0], 0).unwrap().to_string();
    let memory = |name, what: &str| {
        let peaks = (0..effort.rounds(20)).map(|_| {
            let child = Reporter::start(command(store.path(), &["memory", name, what]));
            child.numbers()[0][0]
        });
        median(peaks.collect()) as f64 / 1024.0
    };
    let (floor, ours) = (memory(FLOOR, &port), memory(OURS, &ids[0]));
    vec![Figure {
        what: format!("memory at its peak, {SIZE} assignments"),
        beside: ("a process that binds".to_owned(), format!("{floor:.1} MiB")),
        ours: format!("{ours:.1} MiB"),
        result: ours - floor,
        unit: "MiB more",
        target: Target::AtMost(4.0),
    }]
}

/// The first handout of a process, for stores of these sizes: the floor's time, then ours.
pub fn first_by_size(rounds: usize, size: usize) -> [Duration; 2] {
    let ids = ids(1);
    let store = store_of(size, &ids);
    let port = store.forward_port(&ids[0], 0).unwrap().to_string();
    let run = |name, what: &str| wait_for(command(store.path(), &["first", name, what]));
    side_by_side(
        rounds,
        1,
        [&mut || run(FLOOR, &port), &mut || run(OURS, &ids[0])],
    )
}
