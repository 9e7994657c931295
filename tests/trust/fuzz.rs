//! Row `fuzz`: the targets of `tests/fuzz`, each from its corpus on. A text that makes one panic, hang or take all memory
//! is a finding.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;

use crate::campaign::{Form, Report};

const TARGETS: [&str; 4] = ["store", "port_set", "import", "attribute"];
/// As many as a small machine has processors.
const AT_ONCE: usize = 2;

pub fn targets(form: Form) -> Report {
    let mut report = Report::default();
    let built = cargo_fuzz("build").output().unwrap();
    if !built.status.success() {
        report.broken(format!("the targets do not build:\n{}", told(&built)));
        return report;
    }
    let seconds = form.pick(60, 3600);
    report.figure(format_args!("{seconds} s for each target"));
    for targets in TARGETS.chunks(AT_ONCE) {
        let outputs: Vec<_> = thread::scope(|scope| {
            let start = |&target| scope.spawn(move || run(target, seconds));
            let running: Vec<_> = targets.iter().map(start).collect();
            running.into_iter().map(|one| one.join().unwrap()).collect()
        });
        for (target, output) in targets.iter().zip(outputs) {
            let told = told(&output);
            let texts: usize = told
                .lines()
                .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))
                .map_or(0, |count| count.trim().parse().unwrap());
            let findings = findings(target);
            let count = fs::read_dir(&findings).unwrap().count();
            report.figure(format_args!("{target}: {texts} texts, {count} findings"));
            if count > 0 || !output.status.success() {
                let (status, findings) = (output.status, findings.display());
                report.broken(format!(
                    "{target}: {status}; {findings} has the text:\n{told}"
                ));
            } else if texts < 10_000 {
                report.broken(format!("{target}: hardly anything was tried"));
            }
        }
    }
    report
}

fn cargo_fuzz(what: &str) -> Command {
    let mut command = Command::new("cargo");
    // Without a sanitizer, which would need another compiler, and there is no unsafe code to be watched.
    command
        .args(["fuzz", what, "--fuzz-dir=tests/fuzz", "--sanitizer=none"])
        .args(["--target-dir=target/fuzz"])
        .current_dir(root());
    command
}

fn run(target: &str, seconds: u64) -> Output {
    // What was found before is in the corpus by now, or will be found again.
    let findings = findings(target);
    let _ = fs::remove_dir_all(&findings);
    // New texts that are of interest go to the first folder, and are where the next run begins.
    let grown = work().join("corpus").join(target);
    for folder in [&findings, &grown] {
        fs::create_dir_all(folder).unwrap();
    }
    cargo_fuzz("run")
        .arg(target)
        .arg(grown)
        .arg(format!("tests/fuzz/corpus/{target}"))
        .args(["--", "-print_final_stats=1", "-timeout=10", "-max_len=1024"])
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/", findings.display()))
        .output()
        .unwrap()
}

fn findings(target: &str) -> PathBuf {
    work().join("findings").join(target)
}

fn work() -> PathBuf {
    root().join("target/fuzz")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The end of what it had to say.
fn told(output: &Output) -> String {
    let told = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = told.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}
