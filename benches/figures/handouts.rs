//! Handouts in a process that has read its store.

use std::fs::{self, File};
use std::io::Write;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crate::Effort;
use crate::measure::{Figure, Target, median, side_by_side};
use crate::support::{FLOOR, OURS, PEERS, TempStore, handout, ids, store_of};

/// A known id's handout by all: the floor, this crate and the peers.
pub fn by_all(rounds: usize, store: &TempStore, id: &str) -> (Duration, Duration, [Duration; 7]) {
    let mut floor = handout(FLOOR, store, id);
    let mut ours = handout(OURS, store, id);
    let mut peers = PEERS.map(|peer| handout(peer, store, id));
    let [p0, p1, p2, p3, p4, p5, p6] = &mut peers;
    let [floor, ours, peers @ ..] = side_by_side(
        rounds,
        20,
        [&mut floor, &mut ours, p0, p1, p2, p3, p4, p5, p6],
    );
    (floor, ours, peers)
}

/// An id that has a port, against the floor and against every peer.
pub fn known_id(effort: Effort) -> Vec<Figure> {
    const WHAT: &str = "guard + drop of a known id";
    let ids = ids(1);
    let store = store_of(10, &ids);
    let (floor, ours, peers) = by_all(effort.rounds(500), &store, &ids[0]);
    let most = Target::AtMost;
    let mut figures = vec![Figure::ratio(WHAT, FLOOR, floor, ours, most(1.6))];
    for (peer, time) in PEERS.iter().zip(peers) {
        let target = match *peer {
            "portpicker" => most(1.0),
            _ => Target::None,
        };
        figures.push(Figure::ratio(WHAT, peer, time, ours, target));
    }
    figures
}

/// Any free port, while another store has vacated a hundred.
pub fn any(effort: Effort) -> Vec<Figure> {
    let ids = ids(1);
    let (store, other) = (store_of(10, &ids), store_of(0, &[]));
    let count = effort.rounds(100);
    let mut vacated = other.guard_all((0..count).map(|_| other.any())).unwrap();
    for guard in &mut vacated {
        guard.vacate().unwrap();
    }
    let mut ours = || drop(store.any().guard().unwrap());
    let mut floor = handout(FLOOR, &store, &ids[0]);
    let mut peer = handout("portpicker", &store, &ids[0]);
    let all: [&mut dyn FnMut(); 3] = [&mut floor, &mut ours, &mut peer];
    let [floor, ours, peer] = side_by_side(effort.rounds(200), 20, all);
    let what = "guard + drop of any port, 100 vacated by others";
    vec![
        Figure::ratio(what, FLOOR, floor, ours, Target::AtMost(2.5)),
        Figure::ratio(what, "portpicker", peer, ours, Target::AtMost(1.0)),
    ]
}

/// What more threads and more assignments add.
pub fn threads_and_stores(effort: Effort) -> Vec<Figure> {
    const THREADS: usize = 8;
    const BESIDE: &str = "1 thread, 10 assignments";
    let ids = ids(THREADS);
    let [few, many, most] = [10, 1_000, 20_000].map(|size| store_of(size, &ids));
    let [one, thousand, twenty_thousand] = side_by_side(
        effort.rounds(500),
        20,
        [
            &mut handout(OURS, &few, &ids[0]),
            &mut handout(OURS, &many, &ids[0]),
            &mut handout(OURS, &most, &ids[0]),
        ],
    );
    let figure = |what: &str, time| Figure::ratio(what, BESIDE, one, time, Target::AtMost(1.2));
    let mut figures = vec![
        figure("… with 1,000 assignments", thousand),
        figure("… with 20,000 assignments", twenty_thousand),
    ];
    // One thread and eight take turns as well.
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..effort.rounds(20) {
        times[0].extend(on_threads(1, OURS, &few, &ids));
        times[1].extend(on_threads(THREADS, OURS, &few, &ids));
        times[2].extend(on_threads(THREADS, FLOOR, &few, &ids));
    }
    let [one, eight, floor] = times.map(median);
    let what = "… on 8 threads with 8 ids";
    figures.push(Figure::ratio(what, BESIDE, one, eight, Target::AtMost(1.2)));
    let beside = "bare bind on 8 threads";
    figures.push(Figure::ratio(what, beside, floor, eight, Target::None));
    figures
}

/// Times of handouts on as many threads at once, with an id each.
fn on_threads(threads: usize, name: &str, store: &TempStore, ids: &[String]) -> Vec<Duration> {
    let start = Barrier::new(threads);
    thread::scope(|scope| {
        let running: Vec<_> = ids[..threads]
            .iter()
            .map(|id| {
                let mut handout = handout(name, store, id);
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    let time = |_| {
                        let begin = Instant::now();
                        handout();
                        begin.elapsed()
                    };
                    (0..1_000).map(time).collect::<Vec<_>>()
                })
            })
            .collect();
        running
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    })
}

/// An id that has no port yet, against writing a file of the size of the store.
pub fn new_id(effort: Effort) -> Vec<Figure> {
    let store = store_of(100, &[]);
    let path = store.path().to_owned();
    let mut new = 0;
    let [floor, ours] = side_by_side(
        effort.rounds(200),
        1,
        [
            &mut || {
                let text = fs::read(&path).unwrap();
                replace(&store, &text);
            },
            &mut || {
                new += 1;
                drop(store.guard(&format!("new {new}")).unwrap());
            },
        ],
    );
    vec![Figure::ratio(
        "first guard of a new id",
        "write, fsync and rename",
        floor,
        ours,
        Target::AtMost(1.5),
    )]
}

/// What any store that survives a power cut has to do.
fn replace(store: &TempStore, text: &[u8]) {
    let [temporary, path] = ["floor.new", "floor.json"].map(|name| store.folder().join(name));
    let mut file = File::create(&temporary).unwrap();
    file.write_all(text).unwrap();
    file.sync_all().unwrap();
    fs::rename(temporary, path).unwrap();
}
