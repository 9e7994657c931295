//! The rows, one after the other, and a line about each.

use std::fmt::{self, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use crate::{each_call, forks, fuzz, history, model, servers, shared, stores, surroundings};

/// How much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A few minutes on two cores: for every change.
    Short,
    /// Hours: before a release.
    Long,
}

impl Form {
    /// The figure that fits the form.
    pub fn pick<T>(self, short: T, long: T) -> T {
        match self {
            Self::Short => short,
            Self::Long => long,
        }
    }
}

/// What a row has to say in the end.
#[derive(Debug, Default)]
pub struct Report {
    figures: Vec<String>,
    skipped: Vec<String>,
    broken: Vec<String>,
}

impl Report {
    /// Adds a figure: `312 kills`.
    pub fn figure(&mut self, figure: impl fmt::Display) {
        self.figures.push(figure.to_string());
    }

    /// Says by name what could not be tried here, and why.
    pub fn skip(&mut self, what: &str, why: impl fmt::Display) {
        self.skipped.push(format!("{what} ({why})"));
    }

    /// A promise that was not kept.
    pub fn broken(&mut self, what: impl Into<String>) {
        self.broken.push(what.into());
    }
}

type Row = (&'static str, fn(Form) -> Report);

const ROWS: [Row; 12] = [
    ("kills", each_call::killed),
    ("errors", each_call::failed),
    ("delays", each_call::delayed),
    ("history", history::history),
    ("forks", forks::storm),
    ("stores", stores::two),
    ("servers", servers::killed),
    ("false-ready", servers::false_ready),
    ("shared", shared::killed),
    ("surroundings", surroundings::all),
    ("model", model::sequences),
    ("fuzz", fuzz::targets),
];

/// Runs the rows with these names, or all.
pub fn run(form: &str, rows: &[&str]) -> ExitCode {
    let form = match form {
        "short" => Form::Short,
        "long" => Form::Long,
        other => {
            eprintln!("{other:?} is not a form: short or long");
            return ExitCode::FAILURE;
        }
    };
    if let Some(unknown) = rows
        .iter()
        .find(|name| ROWS.iter().all(|(known, _)| known != *name))
    {
        let known = ROWS.map(|(name, _)| name).join(", ");
        eprintln!("{unknown:?} is not a row: {known}");
        return ExitCode::FAILURE;
    }
    let mut kept = 0;
    for (name, row) in ROWS {
        if !rows.is_empty() && !rows.contains(&name) {
            continue;
        }
        let started = Instant::now();
        let report = row(form);
        let seconds = started.elapsed().as_secs();
        let verdict = if report.broken.is_empty() {
            "kept"
        } else {
            "BROKEN"
        };
        let mut line = format!(
            "{verdict:6} {name:12} {}; {seconds} s",
            report.figures.join(", ")
        );
        if !report.skipped.is_empty() {
            let _ = write!(line, "; skipped: {}", report.skipped.join(", "));
        }
        println!("{line}");
        for broken in report.broken.iter().take(20) {
            println!("       - {broken}");
        }
        if report.broken.len() > 20 {
            println!("       - and {} more", report.broken.len() - 20);
        }
        if !report.broken.is_empty() {
            return ExitCode::FAILURE;
        }
        kept += 1;
    }
    println!("{kept} passed, 0 failed");
    ExitCode::SUCCESS
}
