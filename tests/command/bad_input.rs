//! What is wrong gets an answer that says so, and changes nothing.

use std::io;

use rstest::rstest;

use crate::{Store, has, stderr};

/// Each row: what was asked for, and what is said about it.
#[rstest]
#[case::port_no_number(&["--port", "abc", "bad"], &["--port", "abc", "1 to 65535"])]
#[case::port_zero(&["--port", "0", "bad"], &["--port", "\"0\"", "1 to 65535"])]
#[case::port_too_high(&["--port", "65536", "bad"], &["--port", "65536", "1 to 65535"])]
#[case::port_signed(&["--port", "+80", "bad"], &["--port", "+80", "1 to 65535"])]
#[case::port_empty(&["--port", "", "bad"], &["--port", "1 to 65535"])]
#[case::port_without_name(&["--port", "80"], &["NAME"])]
#[case::port_of_two(&["--port", "80", "bad", "worse"], &["--port", "one name"])]
#[case::name_empty(&[""], &["\"\"", "empty"])]
#[case::name_empty_to_bind(&["--bind", ""], &["\"\"", "empty"])]
#[case::name_like_an_option(&["--bind=-x"], &["\"-x\"", "`-`"])]
#[case::name_with_a_newline(&["a\nb"], &["\"a\\nb\"", "control character"])]
#[case::name_to_forget(&["--unbind", "a\tb"], &["\"a\\tb\"", "control character"])]
#[case::name_twice(&["bad", "bad"], &["`bad`", "twice"])]
#[case::name_and_bind(&["bad", "--bind", "worse"], &["--bind"])]
#[case::unknown_option(&["--colour"], &["--colour"])]
#[case::nothing(&[], &["Usage"])]
#[case::two_things(&["--list", "--unbind", "bad"], &["--list", "--unbind"])]
#[case::who_no_port(&["--who", "0"], &["--who", "1 to 65535"])]
#[case::age_without_unit(&["--prune", "30"], &["--prune", "30d"])]
#[case::json_of_a_command(&["bad", "--json", "--", "true"], &["--json"])]
#[case::timeout_of_nothing(&["bad", "--timeout", "1s"], &["--wait"])]
#[case::format_of_nothing(&["bad", "--format", "{name}"], &["{name}", "{id}"])]
#[case::one_variable_to_print(&["a-b", "a_b", "--env"], &["a-b", "a_b", "A_B_PORT"])]
#[case::command_without_name(&["--", "true"], &["NAME"])]
#[case::inherit_without_command(&["bad", "--inherit"], &["CMD"])]
#[case::placeholder_of_nobody(&["bad", "--", "echo", "{port:worse}"], &["{port:worse}", "none of the ids"])]
#[case::command_that_is_empty(&["bad", "--"], &["no CMD", "`--`"])]
#[case::one_variable_for_two(&["a-b", "a_b", "--", "true"], &["a-b", "a_b", "PORT_A_B"])]
#[case::shell(&["--completions", "cobol"], &["cobol", "bash"])]
fn a_wrong_call_is_a_usage_error(#[case] args: &[&str], #[case] said: &[&str]) {
    let store = Store::new();
    store.port(&["bad/before", "-p", "4700"]);
    let before = store.text();
    let done = store.run(args).code(2).stdout("");
    has(&stderr(&done), said);
    assert_eq!(store.text(), before);
}

#[rstest]
#[case::words(&["x"], "x")]
#[case::other_flags(&["--save", "''"], "--save ''")]
#[case::flags(&["--port", "1"], "")]
fn a_forgotten_dash_is_a_usage_error(#[case] words: &[&str], #[case] told: &str) {
    let program = if cfg!(windows) { "cmd" } else { "sh" };
    let store = Store::new();
    let done = store.run(&[&["bad", program], words].concat());
    let meant = format!("port-for bad -- {program} {told}");
    has(&stderr(&done.code(2).stdout("")), &[meant.trim_end()]);
    assert_eq!(store.text(), None);
}

#[test]
fn a_name_that_is_too_long_is_a_usage_error() {
    let store = Store::new();
    let done = store.run(&[&"x".repeat(256)]).code(2).stdout("");
    has(&stderr(&done), &["255 bytes"]);
    assert_eq!(store.text(), None);
    store.port(&[&"x".repeat(255)]);
}

#[cfg(unix)]
#[test]
fn a_name_that_is_not_text_is_a_usage_error() {
    use std::os::unix::ffi::OsStrExt;
    let store = Store::new();
    let mut command = store.with(&[]);
    command.arg(std::ffi::OsStr::from_bytes(b"\xff"));
    has(&stderr(&command.assert().code(2).stdout("")), &["UTF-8"]);
    assert_eq!(store.text(), None);
}

/// A set of ports comes in by this variable.
#[rstest]
#[case("3000-2000", &["column 1", "backwards", "2000-3000"])]
#[case("70000", &["column 1", "70000", "too high"])]
#[case(",", &["column 1", "missing"])]
#[case("a-b", &["column 1", "\"a\" is not a number"])]
#[case("8000,a-b", &["column 6", "\"a\" is not a number"])]
fn a_set_that_is_none_is_an_error_that_points_into_it(#[case] set: &str, #[case] said: &[&str]) {
    let store = Store::new();
    let mut command = store.with(&["bad/pool"]);
    let done = command
        .env("PORT_FOR_POOL", set)
        .assert()
        .code(2)
        .stdout("");
    has(&stderr(&done), &["PORT_FOR_POOL"]);
    has(&stderr(&done), said);
    assert_eq!(store.text(), None);
}

#[test]
fn forgetting_what_is_not_there_says_which_names_are_like_it() {
    let store = Store::new();
    let done = store.run(&["--unbind", "bad/unknown"]).code(1).stdout("");
    has(&stderr(&done), &["bad/unknown", "no port"]);
    assert_eq!(store.text(), None);
    store.port(&["bad/unknowns"]);
    store.port(&["other"]);
    let done = store.run(&["--unbind", "bad/unknown"]).code(1).stdout("");
    has(&stderr(&done), &["did you mean `bad/unknowns`?"]);
    assert_eq!(store.assignments().len(), 2);
}

#[test]
fn forgetting_what_is_held_names_the_holder_and_removes_nothing() {
    let store = Store::new();
    let guard = store.library().guard("bad/held").unwrap();
    let before = store.text();
    let done = store.run(&["--unbind", "bad/held"]).code(1).stdout("");
    let pid = std::process::id().to_string();
    has(
        &stderr(&done),
        &["bad/held", &guard.port().to_string(), &pid],
    );
    assert_eq!(store.text(), before);
    drop(guard);
    store.run(&["--unbind", "bad/held"]).success();
}

#[test]
fn pruning_what_is_held_names_the_holder_and_removes_nothing() {
    let store = Store::new();
    let guard = store.library().guard("bad/in-use").unwrap();
    store.port(&["bad/unused"]);
    let before = store.text();
    let done = store.run(&["--prune", "0s"]).code(1).stdout("");
    let pid = std::process::id().to_string();
    has(
        &stderr(&done),
        &["bad/in-use", &guard.port().to_string(), &pid],
    );
    assert!(!stderr(&done).contains("bad/unused"));
    assert_eq!(store.text(), before);
}

#[test]
fn a_damaged_store_is_an_error_and_stays_as_it_is() {
    for args in [
        &["bad/any"][..],
        &["--list"],
        &["--unbind", "bad/any"],
        &["--prune", "1d"],
    ] {
        let store = Store::new();
        std::fs::write(store.path(), "{\"version\": 2}").unwrap();
        let done = store.run(args).code(1).stdout("");
        has(&stderr(&done), &["ports.json", "line 1"]);
        assert_eq!(store.text().unwrap(), "{\"version\": 2}");
    }
}

#[rstest]
#[case(&["bad/number"])]
#[case(&["--list"])]
#[case(&["--list", "--json"])]
#[case(&["--who", "4700"])]
#[case(&["--who", "4700", "--json"])]
#[case(&["--completions", "bash"])]
#[case(&["--man"])]
#[case(&["--help"])]
#[case(&["--version"])]
fn a_closed_stdout_is_no_panic(#[case] args: &[&str]) {
    let store = Store::new();
    store.port(&["bad/listed", "-p", "4700"]);
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let done = store.command().args(args).stdout(writer).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    assert!(done.stderr.is_empty(), "{done:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_stdout_is_an_error() {
    let store = Store::new();
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let done = store
        .command()
        .arg("bad/full")
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(1));
    has(
        &String::from_utf8(done.stderr).unwrap(),
        &["cannot write the output"],
    );
}

#[test]
fn an_unknown_flag_comes_without_advice_to_make_a_command_of_it() {
    let done = Store::new().run(&["bad", "--colour"]).code(2);
    let said = stderr(&done);
    assert!(
        said.contains("--colour") && !said.contains("-- --colour"),
        "{said}"
    );
}
