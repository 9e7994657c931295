//! The guide's scripts, run as they stand.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::support::installed::find;
use crate::{Store, has};

/// The blocks of a page that are written in `language`.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    (page.split(&*fence).skip(1))
        .map(|block| block.split("```").next().unwrap())
        .collect()
}

const PAGE: &str = include_str!("../../docs/any-language.md");

/// With this command, and with these programs in place of others, if there are any.
fn bash(store: &Store, script: &str, stubs: &[(&str, &str)]) -> std::process::Output {
    let bin = store.folder().join("bin");
    fs::create_dir_all(&bin).unwrap();
    let link = |name: &str, target: &str| {
        let _ = fs::remove_file(bin.join(name));
        symlink(target, bin.join(name)).unwrap();
    };
    link("port-for", env!("CARGO_BIN_EXE_port-for"));
    for (name, target) in stubs {
        link(name, target);
    }
    let mut shell = store.command();
    let path = format!("{}:/usr/sbin:/usr/bin:/bin", bin.display());
    shell.env("PATH", path).current_dir(store.folder());
    let mut command = Command::new("timeout");
    command.args(["60", "bash", "-euo", "pipefail", "-c", script]);
    crate::support::child::give_environment(&shell, &mut command);
    command.current_dir(store.folder()).output().unwrap()
}

#[test]
fn the_first_script_runs_a_server_and_ends_when_the_server_dies() {
    if find("redis-server").is_none() || find("redis-cli").is_none() {
        return;
    }
    let script = blocks(PAGE, "bash")[0];
    let store = Store::new();
    let done = bash(&store, script, &[]);
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{done:?}");
    has(&said, &["PONG"]);

    // The same with a server that dies at once: an error, and no loop without an end.
    let done = bash(&store, script, &[("redis-server", "/bin/false")]);
    assert!(!done.status.success(), "{done:?}");
    assert_ne!(done.status.code(), Some(124), "it ran for a minute");
}

#[test]
fn the_lines_for_other_tools_run() {
    let store = Store::new();
    let script = blocks(PAGE, "bash")
        .into_iter()
        .find(|block| block.contains("--env"))
        .unwrap();
    let done = bash(&store, script, &[]);
    assert!(done.status.success(), "{done:?}");
    let env = fs::read_to_string(store.folder().join(".env")).unwrap();
    has(&env, &["API_PORT=", "DB_PORT="]);
    has(
        &String::from_utf8_lossy(&done.stdout),
        &["api=127.0.0.1:", "\"id\": \"db\""],
    );
}
