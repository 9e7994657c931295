//! What a compiler has to do: crates made for the purpose, built from nothing.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
#[cfg(target_os = "linux")]
use std::time::Duration;

use tempfile::TempDir;

use crate::measure::{Figure, Target, side_by_side};
#[cfg(target_os = "linux")]
use crate::measure::{cpu_time, median, short};
use crate::{Effort, Row};

pub const ROWS: [(&str, Row); 4] = [
    ("clean build", clean_build),
    ("added to axum", added),
    ("by itself", alone),
    ("compile 500 tests", annotated_tests),
];

/// A crate in a folder of its own, with a target folder of its own.
struct Scratch {
    folder: TempDir,
}

impl Scratch {
    fn new(dependency: &str) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        // The `[workspace]` keeps cargo from taking it for a part of this crate's.
        let manifest = format!(
            "[package]\nname = \"scratch\"\nedition = \"2024\"\n\n\
             [dependencies]\n{dependency}\n\n[workspace]\n"
        );
        fs::create_dir(folder.path().join("src")).unwrap();
        fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
        // The same versions, without asking a registry.
        let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock");
        fs::copy(lock, folder.path().join("Cargo.lock")).unwrap();
        let scratch = Self { folder };
        scratch.write("");
        scratch
    }

    fn write(&self, text: &str) {
        fs::write(self.folder.path().join("src/lib.rs"), text).unwrap();
    }

    /// Gets what the lock file of this crate does not have.
    fn fetch(&self) {
        let fetched = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
            .args(["fetch", "--quiet"])
            .current_dir(&self.folder)
            .status()
            .unwrap();
        assert!(fetched.success());
    }

    /// Runs cargo, and tells how many crates it compiled beside this one.
    fn cargo(&self, words: &[&str]) -> usize {
        let messages = self.run(words);
        let compiled = messages.lines().filter(|line| line.contains("Compiling "));
        compiled.count() - 1
    }

    fn run(&self, words: &[&str]) -> String {
        let output = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
            .args(words)
            .arg("--offline")
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", self.folder.path().join("target"))
            .env("CARGO_INCREMENTAL", "0")
            .output()
            .unwrap();
        let messages = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{messages}");
        messages.into_owned()
    }

    /// How many packages its lock file has.
    #[cfg(target_os = "linux")]
    fn locked(&self) -> usize {
        let lock = fs::read_to_string(self.folder.path().join("Cargo.lock")).unwrap();
        lock.lines().filter(|&line| line == "[[package]]").count()
    }

    fn clean_build(&self) -> usize {
        let target = self.folder.path().join("target");
        if target.exists() {
            fs::remove_dir_all(target).unwrap();
        }
        self.cargo(&["build"])
    }
}

fn this_crate() -> String {
    format!("port-for = {{ path = {:?} }}", env!("CARGO_MANIFEST_DIR"))
}

/// This crate as a new dependency, with its default features, against others that tests depend on.
fn clean_build(effort: Effort) -> Vec<Figure> {
    let [ours, rstest, serial_test] =
        [&*this_crate(), "rstest = \"0.28\"", "serial_test = \"3\""].map(Scratch::new);
    let mut crates = [0; 3];
    let [a, b, c] = &mut crates;
    let times = side_by_side(
        effort.rounds(3),
        1,
        [
            &mut || *a = ours.clean_build(),
            &mut || *b = rstest.clean_build(),
            &mut || *c = serial_test.clean_build(),
        ],
    );
    let compared = |what: &str, beside: &str, nth: usize, target| {
        let time = Figure::ratio(what, beside, times[nth], times[0], target);
        Figure {
            beside: (
                format!("{beside}, {} crates", crates[nth]),
                time.beside.1.clone(),
            ),
            ..time
        }
    };
    let what = format!("clean dev build, {} crates", crates[0]);
    vec![
        compared(&what, "`rstest`", 1, Target::AtMost(0.75)),
        compared(&what, "`serial_test`", 2, Target::None),
        Figure {
            what: "… crates".to_owned(),
            beside: ("`rstest`".to_owned(), crates[1].to_string()),
            ours: crates[0].to_string(),
            result: f64::from(u32::try_from(crates[0]).unwrap()),
            unit: "crates",
            target: Target::AtMost(28.0),
        },
    ]
}

/// This crate added to a project that has axum, tokio, serde and rstest, whose crates it may share. It asks the registry for
/// them.
#[cfg(target_os = "linux")]
fn added(effort: Effort) -> Vec<Figure> {
    let project = "axum = \"0.8\"\ntokio = { version = \"1\", features = [\"full\"] }\nrstest = \"0.28\"\n\
                   serde = { version = \"1\", features = [\"derive\"] }";
    let with = format!("{project}\n{}", this_crate());
    let [before, after] = [project, &with].map(Scratch::new);
    for scratch in [&before, &after] {
        scratch.fetch();
    }
    let locked = [before.locked(), after.locked()];
    let mut crates = [0; 2];
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..effort.rounds(3) {
        for (nth, scratch) in [&before, &after].into_iter().enumerate() {
            times[nth].push(cpu_time_of(|| crates[nth] = scratch.clean_build()));
        }
    }
    let [before, after] = times.map(median);
    let more = |what: &str, [before, after]: [usize; 2], unit, most| Figure {
        what: what.to_owned(),
        beside: ("without".to_owned(), before.to_string()),
        ours: after.to_string(),
        result: f64::from(u32::try_from(after - before).unwrap()),
        unit,
        target: Target::AtMost(most),
    };
    vec![
        more(
            "crates added to a project with axum, tokio, serde and rstest",
            crates,
            "crates more",
            7.0,
        ),
        Figure::ratio(
            "… CPU time of its clean build",
            "without",
            before,
            after,
            Target::AtMost(1.1),
        ),
        more("… packages in its lock file", locked, "more", 14.0),
    ]
}

/// What is to be done of this crate alone, once what it depends on is there.
#[cfg(target_os = "linux")]
fn alone(effort: Effort) -> Vec<Figure> {
    let scratch = Scratch::new(&this_crate());
    let figure = |what: &str, command: &'static str| {
        let once = |_| {
            scratch.run(&[command]);
            scratch.run(&["clean", "--package", "port-for"]);
            cpu_time_of(|| drop(scratch.run(&[command])))
        };
        let time = median((0..effort.rounds(5)).map(once).collect());
        Figure {
            what: what.to_owned(),
            beside: ("–".to_owned(), "–".to_owned()),
            ours: short(time),
            result: time.as_secs_f64(),
            unit: "s of CPU",
            target: Target::AtMost(2.5),
        }
    };
    vec![
        figure("this crate by itself, `cargo check`", "check"),
        figure("… `cargo build`", "build"),
    ]
}

#[cfg(target_os = "linux")]
fn cpu_time_of(job: impl FnOnce()) -> Duration {
    let before = cpu_time();
    job();
    cpu_time().saturating_sub(before)
}

#[cfg(not(target_os = "linux"))]
fn alone(_effort: Effort) -> Vec<Figure> {
    Vec::new()
}

#[cfg(not(target_os = "linux"))]
fn added(_effort: Effort) -> Vec<Figure> {
    Vec::new()
}

/// Tests with the attribute, against tests with a line of code that does the same.
fn annotated_tests(effort: Effort) -> Vec<Figure> {
    const TESTS: usize = 500;
    let (mut annotated, mut by_hand) = (String::new(), String::new());
    for nth in 0..TESTS {
        let check = "drop(port.take_listener().unwrap());";
        let _ = write!(
            annotated,
            "#[port_for::port_for(\"id {nth}\")]\n\
             fn test_{nth}(mut port: port_for::PortGuard) {{\n    {check}\n}}\n"
        );
        let _ = write!(
            by_hand,
            "#[test]\nfn test_{nth}() {{\n    \
             let mut port = port_for::guard(\"id {nth}\").unwrap();\n    {check}\n}}\n"
        );
    }
    let [a, b] = [(); 2].map(|()| Scratch::new(&this_crate()));
    let compile = |scratch: &Scratch, text: &str| {
        scratch.write(text);
        scratch.cargo(&["test", "--no-run"]);
    };
    let mut annotated = || compile(&a, &annotated);
    let mut by_hand = || compile(&b, &by_hand);
    let [ours, floor] = side_by_side(effort.rounds(5), 1, [&mut annotated, &mut by_hand]);
    vec![Figure::ratio(
        "compiling 500 tests with `#[port_for]`",
        "500 with `guard(id).unwrap()`",
        floor,
        ours,
        Target::AtMost(1.25),
    )]
}
