//! Row `model`: any sequence of calls does what a model of the promises says, down to who listens where after each
//! step.

use std::collections::BTreeMap;
use std::process::{ExitCode, Stdio};

use crate::campaign::{Form, Report};
use crate::support::child::this_program;

#[path = "../support/model/mod.rs"]
mod machine;

/// Processes at once, for some steps are waits. Every other one has a namespace.
const LANES: u64 = 4;

/// What calls must have come to, or too little was tried.
const KINDS: [&str; 9] = [
    "Ok",
    "InvalidId",
    "Conflict",
    "Busy",
    "Occupied",
    "Bind",
    "Exhausted",
    "Deadlock",
    "Handoff",
];

pub fn sequences(form: Form) -> Report {
    let each = form.pick(10_000, 100_000) / LANES;
    // Always the same ones, unless another number is given.
    let seed = std::env::var("TRUST_SEED").map_or(0, |text| text.parse().unwrap());
    let lanes: Vec<_> = (0..LANES)
        .map(|lane| {
            let block = machine::Block::claim();
            let mut command = this_program();
            block.give(&mut command);
            if lane % 2 == 1 {
                command.env("PORT_FOR_NAMESPACE", "lane");
            }
            let seed = (seed + lane).to_string();
            command
                .args(["trust:model", &seed, &each.to_string()])
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                // Ids that are moved or make room are named there.
                .stderr(Stdio::null());
            (block, command.spawn().unwrap())
        })
        .collect();

    let mut report = Report::default();
    let mut figures = BTreeMap::<String, usize>::new();
    let mut unforeseen = 0;
    for (block, child) in lanes {
        let output = child.wait_with_output().unwrap();
        drop(block);
        let said = String::from_utf8(output.stdout).unwrap();
        if output.status.success() {
            for (name, count) in said
                .split_whitespace()
                .filter_map(|word| word.split_once('='))
            {
                *figures.entry(name.to_owned()).or_default() += count.parse::<usize>().unwrap();
            }
        } else {
            unforeseen += 1;
            report.broken(format!("{}: {said}", output.status));
        }
    }
    let sequences = each * LANES;
    report.figure(format_args!("{sequences} sequences (TRUST_SEED={seed})"));
    let steps = figures.remove("steps").unwrap_or_default();
    report.figure(format_args!("{steps} steps"));
    for kind in KINDS {
        if !figures.contains_key(kind) {
            report.broken(format!("no call came to {kind}: too little was tried"));
        }
    }
    let well = figures.remove("Ok").unwrap_or_default();
    let errors: usize = figures.values().sum();
    let kinds = figures.len();
    report.figure(format_args!(
        "{well} calls that went well, {errors} errors of {kinds} kinds, {unforeseen} that were not foreseen"
    ));
    report
}

/// In a lane's process.
pub fn lane(seed: &str, sequences: &str) -> ExitCode {
    match machine::run(seed.parse().unwrap(), sequences.parse().unwrap()) {
        Ok(figures) => {
            println!("{figures}");
            ExitCode::SUCCESS
        }
        Err(broken) => {
            println!("{broken}");
            ExitCode::FAILURE
        }
    }
}
