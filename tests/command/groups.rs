//! Several ports under one name.

use crate::{Store, stdout};

fn numbers(text: &str) -> Vec<u16> {
    text.lines().map(|line| line.parse().unwrap()).collect()
}

#[test]
fn a_block_is_printed_line_by_line_with_its_companions() {
    let store = Store::new();
    let args = ["cluster", "--block", "2", "--companion", "10000"];
    let printed = stdout(&store.run(&args).success().stderr(""));
    let ports = numbers(&printed);
    let first = ports[0];
    assert_eq!(ports, [first, first + 1, first + 10_000, first + 10_001]);
    // The same again, and each tool has its way to read them.
    store.run(&args).success().stdout(printed);
    let with = |flag: &[&str]| stdout(&store.run(&[&args, flag].concat()).success());
    assert_eq!(
        with(&["--env"]),
        format!(
            "CLUSTER_PORT={first}\nCLUSTER_1_PORT={}\nCLUSTER_10000_PORT={}\nCLUSTER_10001_PORT={}\n",
            first + 1,
            first + 10_000,
            first + 10_001
        )
    );
    let named = with(&["--format", "{id}={port}"]);
    assert!(
        named.starts_with(&format!("cluster={first}\ncluster+1={}\n", first + 1)),
        "{named}"
    );
    let json: serde_json::Value = serde_json::from_str(&with(&["--json"])).unwrap();
    assert_eq!(json[0]["ports"], serde_json::json!(ports));
    assert_eq!(json[0]["port"], first);
    // Without the block, the first one.
    assert_eq!(store.port(&["cluster"]), first);
}

#[test]
fn a_group_is_one_row_of_the_list_and_is_forgotten_as_one() {
    let store = Store::new();
    store
        .run(&["cluster", "--block", "3", "--companion", "10000"])
        .success();
    let list = stdout(&store.run(&["--list"]).success());
    assert_eq!(list.lines().count(), 2, "{list}");
    let first = store.port(&["cluster"]);
    let ports = format!(
        "{first}-{},{}-{}",
        first + 2,
        first + 10_000,
        first + 10_002
    );
    assert!(list.contains(&ports), "{list}");
    let json = stdout(&store.run(&["--list", "--json"]).success());
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[0]["ports"].as_array().unwrap().len(), 6);
    let who = stdout(&store.run(&["--who", &(first + 1).to_string()]).success());
    assert!(who.contains("is assigned to `cluster+1`"), "{who}");
    let part = store.run(&["--unbind", "cluster+1"]).code(1);
    let said = String::from_utf8_lossy(&part.get_output().stderr).into_owned();
    assert!(said.contains("cluster"), "{said}");
    store.run(&["--unbind", "cluster"]).success();
    assert!(store.assignments().is_empty());
}

#[cfg(unix)]
#[test]
fn a_command_has_all_ports_of_the_block_and_their_numbers() {
    let store = Store::new();
    let script = "echo $PORT $PORT_1 $PORT_CLUSTER {port+1} {port+10001}";
    let shell = ["--", "sh", "-c", script];
    let args = ["cluster", "--block", "2", "--companion", "10000"];
    for extra in [&[][..], &["--supervise"], &["--inherit"]] {
        let words = [&args, extra, &shell].concat();
        let said = stdout(&store.run(&words).success());
        let first = store.port(&["cluster"]);
        let second = first + 1;
        assert_eq!(
            said,
            format!("{first} {second} {first} {second} {}\n", first + 10_001)
        );
    }
}

/// The program keeps all leases, and its own ports are there for it to bind.
#[cfg(unix)]
#[test]
fn a_running_command_keeps_the_whole_block_from_others() {
    use std::time::Duration;

    use crate::support::{PATIENCE, eventually};

    let store = Store::new();
    let args = [
        "cluster",
        "--block",
        "2",
        "--companion",
        "10000",
        "--",
        "sleep",
        "600",
    ];
    let running = store.start(&args);
    let library = store.library();
    let free = |port| library.port(port).timeout(Duration::ZERO).guard().is_ok();
    eventually("the command", || {
        library
            .assignments()
            .unwrap()
            .iter()
            .any(|found| found.holder().is_some())
    });
    let first = store.port(&["cluster"]);
    eventually("the program", || {
        [first, first + 1, first + 10_000, first + 10_001]
            .into_iter()
            .all(|port| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() && !free(port))
    });
    drop(running);
    let request = library.request("cluster").block(2).companions([10_000]);
    assert_eq!(request.timeout(PATIENCE).guards().unwrap().len(), 2);
}

#[test]
fn a_group_that_cannot_be_is_a_usage_error() {
    let store = Store::new();
    for (args, said) in [
        (&["a", "--block", "0"][..], "from 1 to 1000"),
        (&["a", "--block", "1001"], "from 1 to 1000"),
        (&["a", "--block", "x"], "invalid value"),
        (&["a", "--companion", "0"], "within the block"),
        (
            &["a", "--companion", "7", "--companion", "7"],
            "there twice",
        ),
        (&["a", "b", "--block", "2"], "are for one name"),
        (&["--block", "2"], "required"),
        (
            &[
                "a",
                "--block",
                "2",
                "--shared",
                "redis-server",
                "--",
                "true",
            ],
            "cannot be used with",
        ),
    ] {
        let refused = store.run(args).code(2);
        let stderr = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
        assert!(stderr.contains(said), "{args:?}: {stderr}");
    }
    assert!(store.text().is_none());
}
