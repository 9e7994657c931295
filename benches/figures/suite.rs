//! A suite of tests, as people have them.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::Effort;
use crate::measure::{Figure, Target, side_by_side};
use crate::support::{ids, store_of};

/// Two hundred tests on ports of their own, on any port, and one after the other on one port.
pub fn suite(effort: Effort) -> Vec<Figure> {
    const WHAT: &str = "200 tests of a server and a client, `#[port_for]`";
    let program = build();
    let ids = ids(1);
    let store = store_of(10, &ids);
    let port = store.forward_port(&ids[0], 0).unwrap();
    let run = |tests: &str| {
        let status = Command::new(&program)
            .arg(tests)
            .env("PORT_FOR_STORE", store.path())
            .env("SUITE_PORT", port.to_string())
            .stdout(Stdio::null())
            .status();
        assert!(status.unwrap().success());
    };
    let [own, any] = side_by_side(
        effort.rounds(30),
        1,
        [&mut || run("own_port::"), &mut || run("any_port::")],
    );
    // By itself: it waits a lot, and who runs after it finds a processor that has slowed down.
    let [one] = side_by_side(effort.rounds(10), 1, [&mut || run("one_port::")]);
    let figure = |beside, that, target| Figure::ratio(WHAT, beside, that, own, target);
    vec![
        figure("`bind(0)`", any, Target::AtMost(1.03)),
        figure("`#[file_serial]`", one, Target::None),
    ]
}

/// The suite's program: a bench target that `cargo bench` does not run by itself.
fn build() -> PathBuf {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
        .args(["bench", "--offline", "--bench", "suite", "--no-run"])
        .args(["--quiet", "--message-format", "json"])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "the suite does not compile");
    let messages = String::from_utf8(output.stdout).unwrap();
    let mut programs = messages.lines().filter_map(|message| {
        let message: Value = serde_json::from_str(message).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    programs.next().expect("cargo names what it built")
}
