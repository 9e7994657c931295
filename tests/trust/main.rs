//! The promises, tried with faults: `tests/trust/campaign short` or `long` runs all rows. README.md beside this file
//! tells what each row tries.
//!
//! One program is everything: the campaign, and what it starts (the code under fault, workers to be killed, what runs
//! inside a namespace). It has no test harness, whose threads and system calls would be in the way.

#![forbid(unsafe_code)]
#![allow(
    clippy::disallowed_methods,
    reason = "children are told where things are by environment"
)]
#![allow(missing_docs, unreachable_pub)]

#[cfg(target_os = "linux")]
mod campaign;
#[cfg(target_os = "linux")]
mod driver;
#[cfg(target_os = "linux")]
mod each_call;
#[cfg(target_os = "linux")]
mod forks;
#[cfg(target_os = "linux")]
mod fuzz;
#[cfg(target_os = "linux")]
mod history;
#[cfg(target_os = "linux")]
mod model;
#[cfg(target_os = "linux")]
mod servers;
#[cfg(target_os = "linux")]
mod shared;
#[cfg(target_os = "linux")]
mod stores;
#[cfg(target_os = "linux")]
mod strace;
#[cfg(target_os = "linux")]
#[path = "../support/mod.rs"]
mod support;
#[cfg(target_os = "linux")]
mod surroundings;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["trust:campaign", form, ref rows @ ..] => campaign::run(form, rows),
        ["trust:call", name, store] => driver::run(name, store.as_ref()),
        ["trust:work", store, journal, name] => history::work(store, journal.as_ref(), name),
        ["trust:inside", name, folder] => surroundings::inside(name, folder.as_ref()),
        ["trust:hold", store, id] => surroundings::neighbours::hold(store, id),
        ["trust:model", seed, sequences] => model::lane(seed, sequences),
        ["trust:default", id] => surroundings::file_systems::default_store(id),
        ["trust:stores", handoff, rounds, folder] => stores::work(handoff, rounds, folder.as_ref()),
        ["trust:lock", path] => surroundings::neighbours::lock(path),
        ["trust:serve", shape, way] => servers::serve(shape, way),
        ["trust:share", folder, when] => shared::share(folder.as_ref(), when),
        ["trust:shared-server", addr, folder] => shared::serve(addr, folder.as_ref()),
        ["trust:stranger"] => servers::stranger(),
        ["trust:ready", rounds] => servers::ready(rounds),
        // `cargo test` and nextest start every test program, with words of their own.
        _ => std::process::ExitCode::SUCCESS,
    }
}

/// What it tries with is Linux's: strace, namespaces, `/proc`.
#[cfg(not(target_os = "linux"))]
fn main() {}
