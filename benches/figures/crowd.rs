//! Many processes at once.

use std::time::Duration;

use crate::Effort;
use crate::children::{Reporter, ids_of_each, listed, start_at_once, start_together};
use crate::measure::{Figure, Target, median, timed};
use crate::support::{FLOOR, OURS, ids, store_of};
use crate::written::Written;

/// Every process takes ports of ids of its own, all at once; none of it changes the store.
pub fn at_once(effort: Effort) -> Vec<Figure> {
    const PROCESSES: usize = 64;
    const EACH: usize = 20;
    let ids = ids_of_each(PROCESSES, EACH);
    let store = store_of(0, &ids.concat());
    let ports: Vec<Vec<u16>> = ids
        .iter()
        .map(|ids| {
            let port = |id: &String| store.forward_port(id, 0).unwrap();
            ids.iter().map(port).collect()
        })
        .collect();
    let words = |name: &str, nth: usize| {
        let what = match name {
            FLOOR => listed(&ports[nth]),
            _ => listed(&ids[nth]),
        };
        ["crowd", name, &what].map(str::to_owned).to_vec()
    };
    let path = store.path();
    // From the start of the first process to the end of the last.
    let whole = |name| {
        timed(|| {
            let children = start_at_once(PROCESSES, path, |nth| words(name, nth));
            for child in children {
                child.numbers();
            }
        })
    };
    // From the word, when all of them run, to the last port's end.
    let run = |name| {
        let (begin, children) = start_together(PROCESSES, path, |nth| words(name, nth));
        let ends = children.into_iter().map(|child| child.numbers()[0][0]);
        Duration::from_nanos(ends.max().unwrap() - begin)
    };
    let mut times = [(); 4].map(|()| Vec::new());
    let written = Written::to(path);
    for _ in 0..effort.rounds(15) {
        times[0].push(whole(FLOOR));
        times[1].push(whole(OURS));
        times[2].push(run(FLOOR));
        times[3].push(run(OURS));
    }
    let written = written.times();
    let [floor, ours, running_floor, running] = times.map(median);
    let what = "64 processes, 20 known ids each, at once";
    let throughput = |what: &str, beside: &str, floor: Duration, ours: Duration, target| Figure {
        result: floor.as_secs_f64() / ours.as_secs_f64(),
        unit: "× the throughput",
        ..Figure::ratio(what, beside, floor, ours, target)
    };
    vec![
        throughput(
            what,
            "64 that bind 20 ports",
            floor,
            ours,
            Target::AtLeast(0.5),
        ),
        throughput(
            "… once all processes run",
            "64 that bind 20 ports",
            running_floor,
            running,
            Target::None,
        ),
        Figure::count("… writes of the store", written, Target::AtMost(0.0)),
    ]
}

/// Several new ids at once are one write.
pub fn batch(_: Effort) -> Vec<Figure> {
    let store = store_of(10, &[]);
    let written = Written::to(store.path());
    let ids: [String; 16] = std::array::from_fn(|nth| format!("new {nth}"));
    drop(store.guards(ids.each_ref().map(|id| &**id)).unwrap());
    let what = "16 new ids by one `guards`, writes of the store";
    vec![Figure::count(what, written.times(), Target::AtMost(1.0))]
}

/// One id that all processes wait for: how long from a release to the next one's having it.
pub fn hand_along(effort: Effort) -> Vec<Figure> {
    let ids = ids(1);
    let store = store_of(10, &ids);
    let mut hops = Vec::new();
    for _ in 0..effort.rounds(10) {
        let (_, children) = start_together(16, store.path(), |_| {
            ["hand along", "1", "5000", &*ids[0]]
                .map(str::to_owned)
                .to_vec()
        });
        let mut turns: Vec<_> = children
            .into_iter()
            .flat_map(Reporter::numbers)
            .map(|turn| (turn[1], turn[2]))
            .collect();
        turns.sort_unstable();
        hops.extend(turns.windows(2).map(|pair| pair[1].0 - pair[0].1));
    }
    let longest = Duration::from_nanos(*hops.iter().max().unwrap());
    let middle = Duration::from_nanos(median(hops));
    vec![
        Figure {
            result: middle.as_secs_f64() * 1e3,
            unit: "ms",
            ..Figure::ratio(
                "one id along 16 waiting processes, a hop",
                "–",
                middle,
                middle,
                Target::AtMost(2.0),
            )
        },
        Figure::ratio(
            "the longest hop",
            "the median hop",
            middle,
            longest,
            Target::AtMost(20.0),
        ),
    ]
}
