//! What Python's command does, and what its tests say about the store.

use rstest::rstest;

use crate::{Store, has, stderr, stdout};

#[test]
fn a_name_has_a_port_that_stays() {
    let store = Store::new();
    let port = store.port(&["names/stays"]);
    assert!(port > 1024);
    assert_eq!(store.port(&["names/stays"]), port);
    assert_eq!(store.assignments(), [("names/stays".to_owned(), port)]);
}

#[test]
fn all_ways_to_ask_are_one() {
    let store = Store::new();
    let port = store.port(&["names/same"]);
    assert_eq!(store.port(&["--bind", "names/same"]), port);
    assert_eq!(store.port(&["-b", "names/same"]), port);
    assert_eq!(
        store.port(&["-b", "names/same", "--port", &port.to_string()]),
        port
    );
}

#[test]
fn two_names_have_two_ports() {
    let store = Store::new();
    assert_ne!(store.port(&["names/one"]), store.port(&["names/two"]));
}

#[test]
fn several_names_are_a_line_each_in_the_order_asked_for() {
    let store = Store::new();
    let (b, a) = (store.port(&["names/b"]), store.port(&["names/a"]));
    let c = stdout(&store.run(&["names/b", "names/c", "names/a"]).success());
    let lines: Vec<u16> = c.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!((lines[0], lines[2]), (b, a));
    assert_eq!(lines[1], store.port(&["names/c"]));
}

#[test]
fn an_exact_port_is_recorded_though_it_is_well_known() {
    let store = Store::new();
    assert_eq!(store.port(&["names/exact", "--port", "80"]), 80);
    assert_eq!(store.port(&["names/exact"]), 80);
    assert_eq!(store.port(&["names/exact", "-p", "80"]), 80);
}

#[test]
fn a_name_with_a_port_is_refused_another_one() {
    let store = Store::new();
    store.port(&["names/has", "-p", "80"]);
    let before = store.text();
    let done = store.run(&["names/has", "-p", "81"]).code(1).stdout("");
    has(&stderr(&done), &["names/has", "81", "80"]);
    assert_eq!(store.text(), before);
}

#[test]
fn a_port_that_a_name_has_is_refused_to_another_one() {
    let store = Store::new();
    store.port(&["names/owner", "-p", "80"]);
    let before = store.text();
    let done = store
        .run(&["-b", "names/other", "-p", "80"])
        .code(1)
        .stdout("");
    has(&stderr(&done), &["names/owner", "names/other", "80"]);
    assert_eq!(store.text(), before);
}

#[rstest]
#[case("--unbind")]
#[case("-u")]
fn a_name_can_be_forgotten(#[case] unbind: &str) {
    let store = Store::new();
    store.port(&["names/gone", "-p", "4711"]);
    store.port(&["names/stays", "-p", "4712"]);
    let done = store.run(&[unbind, "names/gone"]).success().stdout("");
    has(&stderr(&done), &["names/gone", "4711"]);
    assert_eq!(store.assignments(), [("names/stays".to_owned(), 4712)]);
    // And its port is anybody's again.
    assert_eq!(store.port(&["names/next", "-p", "4711"]), 4711);
}

#[rstest]
#[case("--version")]
#[case("-v")]
#[case("-V")]
fn the_version_is_told(#[case] flag: &str) {
    let version = concat!("port-for ", env!("CARGO_PKG_VERSION"), "\n");
    Store::new()
        .run(&[flag])
        .success()
        .stdout(version)
        .stderr("");
}

#[test]
fn the_store_can_be_said_on_the_command_line() {
    let (store, other) = (Store::new(), Store::new());
    let path = other.path();
    store.port(&[
        "--store",
        path.to_str().unwrap(),
        "names/there",
        "-p",
        "4713",
    ]);
    assert_eq!(store.text(), None);
    assert_eq!(other.assignments(), [("names/there".to_owned(), 4713)]);
}

#[test]
fn the_pool_and_the_namespace_are_heeded() {
    let store = Store::new();
    let mut command = store.with(&["names/in"]);
    command
        .env("PORT_FOR_POOL", "24100-24199")
        .env("PORT_FOR_NAMESPACE", "checkout");
    let port: u16 = stdout(&command.assert().success())
        .trim_end()
        .parse()
        .unwrap();
    assert!((24100..=24199).contains(&port));
    assert_eq!(
        store.assignments(),
        [("checkout#names/in".to_owned(), port)]
    );
}

/// Checkouts that demand one number take turns on it.
#[test]
fn a_number_that_is_demanded_is_one_in_every_namespace() {
    let store = Store::new();
    for namespace in ["one", "two"] {
        let mut command = store.with(&["names/exact", "-p", "24217"]);
        command.env("PORT_FOR_NAMESPACE", namespace);
        command.assert().success().stdout("24217\n");
    }
    assert_eq!(store.assignments(), [("names/exact".to_owned(), 24217)]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_demanded_port_that_outgoing_connections_get_is_warned_of() {
    let store = Store::new();
    let ephemeral = port_for::PortSet::ephemeral();
    let port = (ephemeral.iter())
        .find(|&port| !port_for::PortSet::reserved().contains(port))
        .unwrap();
    let port = port.to_string();
    let done = store.run(&["names/ephemeral", "-p", &port]).success();
    has(&stderr(&done), &[&port, "outgoing connections"]);
    // It is recorded, and known by now.
    store.run(&["names/ephemeral"]).success().stderr("");
}

/// In a network of its own, where outgoing connections get all ports; only root makes one.
#[cfg(target_os = "linux")]
#[test]
fn an_empty_pool_says_why_and_what_to_set() {
    if !crate::support::privileges::can_unshare("--net") {
        return;
    }
    let store = Store::new();
    let script =
        "echo 1024 65535 > /proc/sys/net/ipv4/ip_local_port_range && exec \"$0\" names/none";
    let mut command = std::process::Command::new("unshare");
    command.args(["--net", "sh", "-c", script]);
    command.arg(env!("CARGO_BIN_EXE_port-for"));
    command
        .env("PORT_FOR_STORE", store.path())
        .env_remove("PORT_FOR_POOL");
    let done = command.output().unwrap();
    assert!(!done.status.success());
    has(
        &String::from_utf8_lossy(&done.stderr),
        &[
            "`names/none`",
            "1024-65535",
            "outgoing",
            "PORT_FOR_POOL=20000-29999",
        ],
    );
}

#[cfg(unix)]
#[test]
fn a_full_table_of_open_files_is_said_as_what_it_is() {
    let store = Store::new();
    store.port(&["names/files"]);
    // The program needs one to start, and then has the three streams.
    let mut said = String::new();
    for limit in 3..12 {
        let script = format!("ulimit -n {limit} && exec \"$0\" names/files-{limit}");
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_port-for")]);
        command.env("PORT_FOR_STORE", store.path());
        let done = command.output().unwrap();
        said += &String::from_utf8_lossy(&done.stderr);
    }
    has(&said, &["too many files are open"]);
    assert!(!said.contains("to keep the store elsewhere"), "{said}");
}

#[test]
fn processes_that_ask_at_once_for_a_new_name_agree() {
    let store = Store::new();
    let all: Vec<_> = (0..8).map(|_| store.start(&["names/new"])).collect();
    let told: Vec<_> = all
        .into_iter()
        .map(|mut running| {
            let out = running.0.stdout.take().unwrap();
            assert!(running.0.wait().unwrap().success());
            std::io::read_to_string(out).unwrap()
        })
        .collect();
    assert!(told.iter().all(|port| *port == told[0]), "{told:?}");
}

#[rstest]
#[case("bash", "default port-for")]
#[case("zsh", "#compdef port-for")]
#[case("fish", "complete -c port-for")]
fn completions_are_printed(#[case] shell: &str, #[case] part: &str) {
    let done = Store::new()
        .run(&["--completions", shell])
        .success()
        .stderr("");
    has(&stdout(&done), &[part, "unbind", "--list --format '{id}'"]);
}

/// What bash offers to complete the last word.
#[cfg(unix)]
fn completed(store: &Store, words: &[&str]) -> Vec<String> {
    let script = r#"
        port-for() { "$PROGRAM" "$@"; }
        source <(port-for --completions bash)
        COMP_WORDS=(port-for "$@") COMP_CWORD=$#
        _port__for port-for "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let command = store.command();
    let mut bash = std::process::Command::new("bash");
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => bash.env(name, value),
            None => bash.env_remove(name),
        };
    }
    bash.env("PROGRAM", command.get_program());
    bash.args(["-c", script, "bash"]).args(words);
    let output = bash.output().unwrap();
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(unix)]
#[test]
fn bash_completes_names_and_kinds() {
    if crate::support::installed::find("bash").is_none() {
        return;
    }
    let store = Store::new();
    let made = store.folder().join("made");
    let hostile = format!("shop/$(touch {})", made.display());
    for name in ["shop/api", "shop/d b", "other", &hostile] {
        store.run(&[name]).success();
    }
    let all = completed(&store, &["shop/"]);
    assert_eq!(all.len(), 3, "{all:?}");
    assert!(
        all.contains(&"shop/api".to_owned()) && all.contains(&"shop/d\\ b".to_owned()),
        "{all:?}"
    );
    // A name is no command.
    assert!(!made.exists());
    assert_eq!(completed(&store, &["--wait", "oth"]), ["other"]);
    assert_eq!(completed(&store, &["other", "--", "oth"]), [""; 0]);
    assert_eq!(
        completed(&store, &["x", "--ready", "li"]),
        ["listening", "line:"]
    );
    assert_eq!(completed(&store, &["--unb"]), ["--unbind"]);
}

#[test]
fn a_list_is_printed_as_other_tools_want_it() {
    let store = Store::new();
    store.run(&["shop/api", "-p", "4801"]).success();
    store.run(&["shop/db", "-p", "4802"]).success();
    store.run(&["other"]).success();
    let args = ["--list", "shop/", "--format", "{id} {port}"];
    store
        .run(&args)
        .success()
        .stdout("shop/api 4801\nshop/db 4802\n");
}

#[test]
fn the_manual_page_tells_everything_and_the_help_fits_two_screens() {
    let done = Store::new().run(&["--man"]).success().stderr("");
    has(
        &stdout(&done),
        &[
            ".TH port-for 1",
            ".SH ENVIRONMENT",
            "prune",
            "LISTEN_FDNAMES",
            "PORT_FOR_STORE",
            "last_used",
        ],
    );
    let help = stdout(&Store::new().run(&["--help"]).success().stderr(""));
    has(&help, &["--unbind", "--ready", "port-for --man"]);
    let widest = help.lines().skip(4).map(|line| line.chars().count()).max();
    assert!(
        help.lines().count() <= 2 * 36 && widest <= Some(100),
        "{help}"
    );
}

/// In a main checkout, in a subfolder of a linked worktree, and in that worktree by another way.
#[cfg(unix)]
#[test]
fn a_worktree_has_ports_of_its_own_and_the_main_checkout_plain_ones() {
    let store = Store::new();
    let at = store.folder().canonicalize().unwrap();
    let (main, linked) = (at.join("main"), at.join("main/linked"));
    std::fs::create_dir_all(linked.join("src")).unwrap();
    std::fs::create_dir(main.join(".git")).unwrap();
    std::fs::write(linked.join(".git"), "gitdir: ../.git/worktrees/linked\n").unwrap();
    std::os::unix::fs::symlink(&linked, at.join("link")).unwrap();
    let ask = |folder: &std::path::Path| {
        let mut command = store.with(&["api"]);
        command
            .env("PORT_FOR_NAMESPACE", "worktree")
            .current_dir(folder);
        stdout(&command.assert().success().stderr(""))
    };
    let plain = ask(&main);
    let its_own = ask(&linked);
    assert_ne!(plain, its_own);
    assert_eq!(ask(&linked.join("src")), its_own);
    assert_eq!(ask(&at.join("link/src")), its_own);
    assert_eq!(ask(&at), plain, "outside of any");
    let key = format!("{}#api", linked.display());
    let ids: Vec<_> = store.assignments().into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, [key.clone(), "api".to_owned()]);

    // Its ids are forgotten once it is gone, and no others.
    store.run(&["--prune", "gone"]).success();
    assert_eq!(store.assignments().len(), 2);
    std::fs::remove_dir_all(&linked).unwrap();
    let said = stderr(&store.run(&["--prune", "gone"]).success());
    has(&said, &[&key, "is forgotten"]);
    assert_eq!(store.assignments().len(), 1);
}

#[test]
fn ports_are_printed_as_other_tools_want_them() {
    let store = Store::new();
    store.run(&["shop/api", "-p", "4801"]).success();
    store.run(&["db", "-p", "4802"]).success();
    for (args, printed) in [
        (&["--env"][..], "SHOP_API_PORT=4801\nDB_PORT=4802\n"),
        (
            &["--format", "{id}={port} at {addr}"],
            "shop/api=4801 at 127.0.0.1:4801\ndb=4802 at 127.0.0.1:4802\n",
        ),
    ] {
        let args = [&["shop/api", "db"], args].concat();
        store.run(&args).success().stdout(printed);
    }
    let json = stdout(&store.run(&["shop/api", "db", "--json"]).success());
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let expected = serde_json::json!([{ "id": "shop/api", "port": 4801, "ports": [4801] }, { "id": "db", "port": 4802, "ports": [4802] }]);
    assert_eq!(json, expected);
}

#[test]
fn several_names_and_those_that_begin_alike_can_be_forgotten() {
    let store = Store::new();
    for (name, port) in [
        ("a/1", "4801"),
        ("a/2", "4802"),
        ("b", "4803"),
        ("c", "4804"),
        ("*", "4805"),
    ] {
        store.run(&[name, "-p", port]).success();
    }
    store.run(&["--unbind", "a/*", "b"]).success();
    assert_eq!(
        store.assignments(),
        [("*".to_owned(), 4805), ("c".to_owned(), 4804)]
    );
    // A name of its own is meant itself.
    store.run(&["--unbind", "*"]).success();
    assert_eq!(store.assignments(), [("c".to_owned(), 4804)]);
    has(&stderr(&store.run(&["--unbind", "x*"]).code(1)), &["`x*`"]);
}

#[test]
fn a_list_can_be_of_those_that_begin_alike_and_who_takes_a_name() {
    let store = Store::new();
    store.run(&["a/1", "-p", "4801"]).success();
    store.run(&["b", "-p", "4802"]).success();
    let listed = stdout(&store.run(&["--list", "a/"]).success());
    assert!(
        listed.contains("a/1") && !listed.contains("4802"),
        "{listed}"
    );
    has(
        &stdout(&store.run(&["--who", "b"]).success()),
        &["port 4802 is assigned to `b`"],
    );
    has(
        &stderr(&store.run(&["--who", "c"]).code(1)),
        &["`c` has no port"],
    );
}

#[test]
fn a_number_that_is_asked_for_as_a_name_gets_a_hint() {
    let store = Store::new();
    let done = store.run(&["8080"]).success();
    has(
        &stderr(&done),
        &["`8080` is a name here", "--who 8080", "--port 8080"],
    );
}
