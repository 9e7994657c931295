//! Servers by recipe: what is filled in, when they are ready, how they end and start again.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use port_for::{ErrorKind, Ready, ServerCommand, Signal};
use rstest::rstest;

use crate::support::PATIENCE;
use crate::support::TempStore;

fn shell(script: &str) -> ServerCommand {
    ServerCommand::new("/bin/sh").arg("-c").arg(script)
}

#[test]
fn placeholders_are_filled_in() {
    let store = TempStore::new();
    let other = store.guard("db").unwrap();
    let mut guard = store.guard(&store.api).unwrap();
    let command = shell("echo got {port} {addr} {port:db} $VALUE; cat {dir}/made; exec sleep 1000")
        .env("VALUE", "v{port}")
        .setup("/bin/sh", ["-c", "echo made > {dir}/made"])
        .ready(Ready::line("made"));
    let mut server = guard.start(&command).unwrap();
    let expected = format!("got {guard} {} {other} v{guard}", guard.addr());
    assert_eq!(server.output().unwrap(), format!("{expected}\nmade\n"));
    server.restart().unwrap();
    assert_eq!(
        server.output().unwrap(),
        format!("{expected}\nmade\n").repeat(2)
    );
}

#[rstest]
#[case(shell("echo {prot}"), "`{prot}`")]
#[case(shell("echo {port:nobody}"), "\"nobody\"")]
#[case(shell("exit 0").ready(Ready::http("health")), "\"health\"")]
#[expect(clippy::reversed_empty_ranges, reason = "that is the mistake")]
#[case(shell("exit 0").ready(Ready::http("/").status(300..=200)), "300..=200")]
#[case(shell("exit 0").ready(Ready::http("/").header("a b", "c")), "\"a b\"")]
#[case(shell("exit 0").setup("/bin/sh", ["-c", "echo broken; exit 3"]), "  broken")]
#[case(ServerCommand::new("/nonexistent/server"), "is it installed")]
#[case(shell("exit 0").current_dir("/nonexistent"), "no folder `/nonexistent` for it to run in")]
#[case(shell("exit 0").literal_arg("a\0b"), "\"a\\0b\" contains a zero byte")]
#[case(shell("exit 0").env("A", "a\0b"), "\"a\\0b\" contains a zero byte")]
fn a_bad_recipe_is_not_started_and_says_why(#[case] command: ServerCommand, #[case] why: &str) {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let error = guard.start(&command).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotStarted, "{error}");
    assert!(error.to_string().contains(why), "{error}");
    // Held again.
    std::net::TcpStream::connect(guard.addr()).unwrap();
}

#[cfg(unix)]
#[rstest]
#[case(ServerCommand::new("no-such-server"))]
#[case(shell("exit 0").setup("no-such-server", ["x"]))]
fn a_program_that_is_nowhere_is_not_taken_for_one_that_may_not_be_run(
    #[case] command: ServerCommand,
) {
    use std::os::unix::fs::PermissionsExt;
    let store = TempStore::new();
    let folder = tempfile::tempdir().unwrap();
    // As root's own programs are to another user. The system tries it, and then says "permission denied".
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o000)).unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let mut command = command.env("PATH", path);
    if rustix::process::geteuid().is_root() {
        command = command.user("nobody");
    }
    let mut guard = store.guard(&store.api).unwrap();
    let error = guard.start(&command).unwrap_err().to_string();
    assert!(error.contains("denied"), "{error}");
    let why = "no folder of the `PATH` has that program";
    assert!(error.contains(why), "{error}");
}

#[test]
fn a_server_that_is_never_ready_is_ended_and_its_conditions_are_told() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let ready = Ready::http("/health")
        .and(Ready::line("READY"))
        .and(Ready::command("false", [""; 0]));
    let command = shell("echo starting; exec sleep 1000")
        .ready(ready)
        .ready_timeout(Duration::from_millis(300));
    let error = guard.start(&command).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotReady);
    let told = error.to_string();
    for part in [
        "nothing listens",
        "\"READY\"",
        "`false`",
        "its last lines:\n  starting",
    ] {
        assert!(told.contains(part), "{part:?} is missing: {told}");
    }
    std::net::TcpStream::connect(guard.addr()).unwrap();
}

#[test]
fn lines_are_seen_however_much_comes_before_and_without_colours() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let script = "head -c 3000000 /dev/zero | tr '\\0' 'x'; printf '\\n\\033[32mre\\033[0mady 42\\n' >&2; exec sleep 1000";
    let mut server = guard
        .start(&shell(script).ready(Ready::line("ready 42")))
        .unwrap();
    let number = server.wait_line(PATIENCE, |line| {
        line.strip_prefix("ready ")?.parse::<u8>().ok()
    });
    assert_eq!(number.unwrap(), 42);
}

#[test]
fn a_server_that_fails_while_it_is_waited_for_is_told_at_once() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let since = Instant::now();
    // A descendant goes on.
    let error = guard
        .start(&shell("sleep 1000 & echo oops; exit 3"))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exited);
    assert!(
        error.to_string().contains("exit status: 3") && error.to_string().contains("oops"),
        "{error}"
    );
    // Which would be the way out of another misfortune.
    assert!(!error.to_string().contains("close_hold"), "{error}");
    assert!(since.elapsed() < Duration::from_secs(15));
}

#[test]
fn it_is_stopped_as_its_recipe_says() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let script = "trap 'echo bye; exit 5' INT; trap '' TERM; echo up; while :; do sleep 0.05; done";
    let command = shell(script)
        .ready(Ready::line("up"))
        .grace(Duration::from_millis(200));
    let mut server = guard
        .start(&command.clone().stop_signal(Signal::Int).grace(PATIENCE))
        .unwrap();
    let stopped = server.stop().unwrap();
    assert_eq!(
        (stopped.status().code(), stopped.was_killed()),
        (Some(5), false)
    );
    assert!(server.output().unwrap().ends_with("bye\n"));
    assert!(!server.is_running());
    let mut deaf = guard.start(&command).unwrap();
    assert!(deaf.stop().unwrap().was_killed());
}

/// As `cargo test &` does in a script.
#[cfg(unix)]
#[test]
fn a_test_that_ignores_an_interrupt_stops_its_server_by_one() {
    let mut this = std::process::Command::new(std::env::current_exe().unwrap());
    this.args(["--exact", "recipes::it_is_stopped_as_its_recipe_says"]);
    let script = r#"trap '' INT QUIT; exec "$@""#;
    let done = crate::support::child::in_shell(script, &this).output();
    let done = done.unwrap();
    let told = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && told.contains("1 passed"), "{told}");
}

#[test]
fn the_lease_ends_with_guard_and_server_whichever_is_last() {
    let store = TempStore::new();
    let free = || store.request(&store.api).timeout(Duration::ZERO).guard();
    let command = shell("echo up; exec sleep 1000").ready(Ready::line("up"));
    let mut guard = store.guard(&store.api).unwrap();
    let server = guard.start(&command).unwrap();
    drop(guard);
    free().unwrap_err();
    drop(server);
    let mut guard = free().unwrap();
    let server = guard.start(&command).unwrap();
    drop(server);
    free().unwrap_err();
    drop(guard);
    drop(free().unwrap());
    let server = store.request(&store.api).start(&command).unwrap();
    free().unwrap_err();
    drop(server);
    drop(free().unwrap());
}

#[test]
fn a_stranger_that_answers_is_not_the_server() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    guard.vacate().unwrap();
    let stranger = TcpListener::bind(guard.addr()).unwrap();
    std::thread::spawn(move || {
        for stream in stranger.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 512]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        }
    });
    let command = shell("exec sleep 1000").ready(Ready::http("/"));
    let error = guard.start(&command).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WrongServer);
    assert!(
        error.to_string().contains(&std::process::id().to_string()),
        "{error}"
    );
}

#[test]
fn a_spawned_server_cannot_be_restarted_and_the_error_names_start() {
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let mut server = guard
        .spawn(std::process::Command::new("sleep").arg("1000"))
        .unwrap();
    let error = server.restart().unwrap_err();
    assert!(error.to_string().contains("`PortGuard::start`"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_script_whose_interpreter_is_missing_is_not_taken_for_a_missing_program() {
    use std::os::unix::fs::PermissionsExt;
    let store = TempStore::new();
    let script = store.folder().join("server");
    std::fs::write(&script, "#!/nonexistent/interpreter\n").unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut guard = store.guard(&store.api).unwrap();
    let error = guard.start(&ServerCommand::new(script)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotStarted);
    assert!(error.to_string().contains("`#!` line"), "{error}");
}
