//! Many tests that share few ids: each serves and asks over HTTP, and no two have an id or a port at the same time.
//!
//! Each writes down when it had which port; a test that ends checks what is written so far. Other runs that share the
//! store and the journal (`PORT_FOR_JOURNAL`) are checked along: `tests/both-at-once` runs two checkouts so.

#![forbid(unsafe_code)]
#![allow(
    clippy::disallowed_methods,
    reason = "the journal's place comes by environment"
)]
#![allow(missing_docs)]

#[path = "support/mod.rs"]
mod support;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use port_for::{PortGuard, port_for};
use support::{HttpServer, eventually};

/// One line a use of a port: id, port, begin and end (nanoseconds since 1970).
struct Use {
    id: String,
    port: u16,
    begin: u128,
    end: u128,
}

fn now() -> u128 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_nanos()
}

/// A file that all tests of a run share, whether they share a process (cargo test) or not (nextest).
fn journal() -> PathBuf {
    #[cfg(unix)]
    let run = std::os::unix::process::parent_id();
    #[cfg(not(unix))]
    let run = std::process::id();
    match std::env::var_os("PORT_FOR_JOURNAL") {
        Some(path) => path.into(),
        None => PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("journal-{run}")),
    }
}

/// Serves and asks on every guard at once, writes down when, and checks what all have written.
#[track_caller]
fn serve(guards: &mut [&mut PortGuard]) {
    let begin = now();
    let servers: Vec<_> = guards
        .iter_mut()
        .map(|guard| {
            let answer = format!("{} {begin}", guard.id().unwrap());
            (
                HttpServer::on(guard.take_listener().unwrap(), &answer),
                answer,
            )
        })
        .collect();
    for (server, answer) in &servers {
        for _ in 0..5 {
            assert_eq!(server.get(), *answer, "another server answers on our port");
        }
    }
    drop(servers);
    let end = now();
    let mut lines = String::new();
    for guard in guards {
        writeln!(
            lines,
            "{} {} {begin} {end}",
            guard.id().unwrap(),
            guard.port()
        )
        .unwrap();
    }
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(journal())
        .unwrap();
    file.write_all(lines.as_bytes()).unwrap();
    check();
}

/// Panics if two uses of one id, or of one port, overlap, or if an id had two ports.
#[track_caller]
fn check() -> usize {
    let text = fs::read_to_string(journal()).unwrap();
    let mut uses: Vec<Use> = text
        .lines()
        .map(|line| {
            let mut words = line.split(' ');
            let mut word = || words.next().expect("four words a line");
            Use {
                id: word().to_owned(),
                port: word().parse().unwrap(),
                begin: word().parse().unwrap(),
                end: word().parse().unwrap(),
            }
        })
        .collect();
    uses.sort_by_key(|used| used.begin);
    let (mut by_id, mut by_port) = (HashMap::new(), HashMap::new());
    for used in &uses {
        for before in [
            by_id.insert(&used.id, used),
            by_port.insert(used.port, used),
        ]
        .into_iter()
        .flatten()
        {
            assert!(
                before.end <= used.begin,
                "{} on port {} and {} on port {} overlap",
                before.id,
                before.port,
                used.id,
                used.port
            );
        }
    }
    uses.len()
}

/// The figure for `tests/both-at-once`, which runs it last.
#[test]
#[ignore = "run by `tests/both-at-once`"]
fn the_journal_has_no_overlap() {
    println!("{} uses, no overlap", check());
}

/// Ends when the same test of another checkout has had its port for as long: with one port, the second could not.
#[port_for("meeting", on_busy = "fail")]
#[ignore = "run by `tests/both-at-once`"]
fn another_checkout_has_this_id_at_the_same_time(api: PortGuard) {
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(journal())
        .unwrap();
    writeln!(file, "{}", api.port()).unwrap();
    let ports = || {
        let text = fs::read_to_string(journal()).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    eventually("the other checkout", || ports().len() == 2);
    assert_ne!(ports()[0], ports()[1]);
}

macro_rules! tests {
    ($id:expr; $($test:ident)*) => {
        $(
            #[port_for(id = $id)]
            fn $test(mut api: PortGuard) {
                serve(&mut [&mut api]);
            }
        )*
    };
}

/// Two hundred tests on twenty ids.
macro_rules! many {
    ($($name:ident)*) => {
        $(
            mod $name {
                use super::*;
                tests!(concat!("many/", stringify!($name)); t0 t1 t2 t3 t4 t5 t6 t7 t8 t9);
            }
        )*
    };
}

many!(m00 m01 m02 m03 m04 m05 m06 m07 m08 m09 m10 m11 m12 m13 m14 m15 m16 m17 m18 m19);

tests!("shared/a"; a1 a2 a3 a4 a5 a6);
tests!("shared/b"; b1 b2 b3 b4 b5 b6);
tests!("shared/c"; c1 c2 c3 c4 c5 c6);
tests!("shared/d"; d1 d2 d3 d4 d5 d6);

#[port_for("shared/a", "shared/b")]
fn a_and_b(mut a: PortGuard, mut b: PortGuard) {
    serve(&mut [&mut a, &mut b]);
}

#[port_for("shared/b", "shared/a")]
fn b_and_a(mut b: PortGuard, mut a: PortGuard) {
    serve(&mut [&mut b, &mut a]);
}

#[port_for("shared/d", "shared/c", "shared/b", "shared/a")]
fn all_four(
    mut d: PortGuard,
    mut c: PortGuard,
    mut b: PortGuard,
    mut a: PortGuard,
) -> Result<(), port_for::Error> {
    serve(&mut [&mut d, &mut c, &mut b, &mut a]);
    // A test that returns has released everything by then.
    drop([a, b, c]);
    d.close()
}

#[port_for("shared/a")]
#[should_panic(expected = "as it should")]
fn a_panic_frees_the_port(_: PortGuard) {
    panic!("as it should");
}

#[port_for("shared/b")]
#[rstest::rstest]
#[case(1)]
#[case(2)]
fn cases_of_rstest(mut b: PortGuard, #[case] turns: u8) {
    for _ in 0..turns {
        serve(&mut [&mut b]);
        b.rearm().unwrap();
    }
}

#[port_for("shared/c")]
#[tokio::test]
async fn a_test_of_tokio(mut c: PortGuard) {
    tokio::task::spawn_blocking(move || serve(&mut [&mut c]))
        .await
        .unwrap();
}
