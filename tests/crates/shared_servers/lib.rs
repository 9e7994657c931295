//! What both test programs need.

#![allow(
    clippy::disallowed_methods,
    reason = "this is about the machine, not about our configuration"
)]

use std::process::{Command, Stdio};

/// Whether all of the programs are installed. If not, the calling test is to return; on CI it fails.
#[must_use]
pub fn are_installed(programs: &[&str]) -> bool {
    let is_there = |program: &&str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    };
    let all = cfg!(unix) && programs.iter().all(is_there);
    assert!(
        all || std::env::var_os("CI").is_none(),
        "not all of {programs:?} are installed"
    );
    if !all {
        eprintln!("skipped: not all of {programs:?} are installed");
    }
    all
}

/// Whether root runs the tests, as which `PostgreSQL` does not run.
#[must_use]
pub fn is_root() -> bool {
    run("id", &["-u"]) == "0"
}

/// What a program prints. It panics with what it complains about if it fails.
#[track_caller]
#[must_use]
pub fn run(program: &str, args: &[&str]) -> String {
    let done = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .output();
    let done = done.unwrap_or_else(|error| panic!("{program}: {error}"));
    let complaint = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{program} {args:?}: {complaint}");
    String::from_utf8_lossy(&done.stdout).trim_end().to_owned()
}
