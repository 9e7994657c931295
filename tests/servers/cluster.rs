//! A redis cluster: each node has its port, and its bus 10,000 above.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use port_for::{PortGuard, Ready, Server, ServerCommand, port_for};
use rstest::rstest;

use crate::support::installed::find;
use crate::support::{PATIENCE, TempStore, eventually};

fn node(redis: &Path) -> ServerCommand {
    ServerCommand::new(redis)
        .args([
            "--bind",
            "127.0.0.1",
            "--port",
            "{port}",
            "--cluster-port",
            "{port+10000}",
        ])
        .args([
            "--cluster-enabled",
            "yes",
            "--cluster-config-file",
            "nodes.conf",
        ])
        .args([
            "--cluster-node-timeout",
            "2000",
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            "{dir}",
        ])
        .ready(Ready::listening().and(Ready::line("Ready to accept connections")))
}

#[track_caller]
fn cli(program: &Path, port: u16, words: &[&str]) -> String {
    let mut command = Command::new(program);
    let output = command
        .args(["-c", "-p", &port.to_string()])
        .args(words)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{complaint}");
    text.trim().to_owned()
}

/// Three masters and three replicas: what one takes, another gives; one is killed, and comes back on its port.
fn works(guards: &mut [PortGuard], redis: &Path, program: &Path) {
    let mut nodes: Vec<Server> = (guards.iter_mut())
        .map(|guard| guard.start(&node(redis)).unwrap())
        .collect();
    let addrs: Vec<_> = nodes.iter().map(|node| node.addr().to_string()).collect();
    let create: Vec<&str> = ["--cluster", "create"]
        .into_iter()
        .chain(addrs.iter().map(String::as_str))
        .chain(["--cluster-replicas", "1", "--cluster-yes"])
        .collect();
    let ports: Vec<u16> = nodes.iter().map(Server::port).collect();
    let created = cli(program, ports[0], &create);
    assert!(created.contains("All 16384 slots covered"), "{created}");
    let is_whole = |port| cli(program, port, &["cluster", "info"]).contains("cluster_state:ok");
    eventually("the cluster", || ports.iter().all(|&port| is_whole(port)));
    assert_eq!(cli(program, ports[1], &["set", "greeting", "hello"]), "OK");
    assert_eq!(cli(program, ports[5], &["get", "greeting"]), "hello");

    nodes[0].kill().unwrap();
    nodes[0].restart().unwrap();
    assert_eq!(nodes[0].port(), ports[0]);
    let knows = |port| cli(program, port, &["cluster", "nodes"]);
    eventually("the node to be back", || {
        let nodes = knows(ports[1]);
        let its = nodes
            .lines()
            .find(|line| line.contains(&format!(":{}@", ports[0])));
        its.is_some_and(|line| line.contains("connected") && !line.contains("fail"))
    });
    eventually("the cluster again", || {
        ports.iter().all(|&port| is_whole(port))
    });
    assert_eq!(cli(program, ports[0], &["get", "greeting"]), "hello");
}

/// Four at once, each with a store of its own.
#[rstest]
#[case::first()]
#[case::second()]
#[case::third()]
#[case::fourth()]
fn a_redis_cluster_has_its_ports_and_their_buses() {
    let (Some(redis), Some(program)) = (find("redis-server"), find("redis-cli")) else {
        return;
    };
    let store = TempStore::new();
    let request = store.request(&store.api).block(6).companions([10_000]);
    let mut guards = request.timeout(PATIENCE).guards().unwrap();
    works(&mut guards, &redis, &program);
}

#[port_for("servers/cluster", block = 6, companions = [10_000])]
fn an_attribute_gives_a_cluster_its_ports(mut nodes: Vec<PortGuard>) {
    let (Some(redis), Some(program)) = (find("redis-server"), find("redis-cli")) else {
        return;
    };
    assert_eq!(nodes.len(), 6);
    works(&mut nodes, &redis, &program);
}

/// A shell that lists what it was told.
fn talker(words: &str) -> ServerCommand {
    ServerCommand::new("/bin/sh")
        .args(["-c", &format!("echo up {words}; exec sleep 600")])
        .ready(Ready::line("up"))
}

#[test]
fn all_ports_of_a_block_that_a_command_names_are_vacated_and_kept_by_its_server() {
    let store = TempStore::new();
    let block = || store.request(&store.api).block(3).companions([10_000]);
    let mut guards = block().guards().unwrap();
    let first = guards[0].port();
    let bind = |port| std::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port)));
    let server = guards[0]
        .start(&talker("{port} {port+1} {port+10001} {port+77}"))
        .unwrap();
    let said = format!(
        "up {first} {} {} {}\n",
        first + 1,
        first + 10_001,
        first + 77
    );
    assert_eq!(server.output().unwrap(), said);
    // Its own, its companion, the one that is named, and that one's companion.
    for port in [first, first + 10_000, first + 1, first + 10_001] {
        drop(bind(port).unwrap());
    }
    bind(first + 2).unwrap_err();
    drop(guards);
    // The server has them still, and no longer the third.
    for (port, is_leased) in [(first, true), (first + 1, true), (first + 2, false)] {
        let taken = store.port(port).timeout(Duration::ZERO).guard();
        assert_eq!(taken.is_err(), is_leased, "{port}");
    }
    drop(server);
    assert_eq!(block().guards().unwrap()[0].port(), first);
}

#[test]
fn a_block_whose_server_does_not_start_is_held_again() {
    let store = TempStore::new();
    let mut guards = store.request(&store.api).block(2).guards().unwrap();
    let failing = ServerCommand::new("/bin/sh").args(["-c", "exit 3; : {port+1}"]);
    let began = Instant::now();
    let error = guards[0].start(&failing).unwrap_err();
    assert!(began.elapsed() < PATIENCE, "{error}");
    let missing = ServerCommand::new("/no/such/program").args(["{port+1}"]);
    guards[0].start(&missing).unwrap_err();
    for guard in &guards {
        std::net::TcpListener::bind(guard.addr()).unwrap_err();
    }
    // A guard that is gone, or whose listener is in use, has no port to give.
    let listener = guards[1].take_listener().unwrap();
    let error = guards[0].start(&talker("{port+1}")).unwrap_err();
    let named = format!("port {} of the same block", guards[1].port());
    assert!(error.to_string().contains(&named), "{error}");
    std::net::TcpListener::bind(guards[0].addr()).unwrap_err();
    drop(listener);
    drop(guards.pop());
    let error = guards[0].start(&talker("{port+1}")).unwrap_err();
    assert!(error.to_string().contains("its guard is gone"), "{error}");
}

#[test]
fn a_server_can_own_a_block() {
    let store = TempStore::new();
    let block = || store.request(&store.api).block(2);
    let mut server = block().start(&talker("{port+1}")).unwrap();
    let second = server.port() + 1;
    let busy = store.port(second).timeout(Duration::ZERO).guard();
    busy.unwrap_err();
    server.restart().unwrap();
    drop(std::net::TcpListener::bind(("127.0.0.1", second)).unwrap());
    drop(server);
    block().guards().unwrap();
}

#[port_for("servers/array")]
fn an_array_says_how_many_ports_it_has(nodes: [PortGuard; 3]) {
    assert_eq!(nodes[2].port(), nodes[0].port() + 2);
}

#[port_for("servers/lent", block = 2)]
fn a_block_can_be_lent(nodes: &mut [PortGuard]) {
    nodes[1].vacate().unwrap();
    assert_eq!(nodes.len(), 2);
}

#[port_for("servers/companion", companions = [10_000])]
fn one_port_can_have_a_companion(node: &PortGuard) {
    assert_eq!(node.companions(), [node.port() + 10_000]);
}

#[port_for("servers/block", block = 2, start = talker("{port} {port+1}"))]
fn a_server_is_started_on_a_block(server: Server) {
    let port = server.port();
    assert_eq!(
        server.output().unwrap(),
        format!("up {port} {}\n", port + 1)
    );
}

#[port_for("servers/one of two", block = 2)]
#[should_panic(expected = "a block of 2 ports is more than this parameter can take")]
fn a_block_is_no_single_guard(_node: PortGuard) {}

#[port_for]
#[should_panic(expected = "a block of 2 ports is no `[PortGuard; 3]`")]
fn a_block_has_the_length_of_its_array(
    #[port("servers/three of two", block = TWO)] _nodes: [PortGuard; 3],
) {
}

const TWO: u16 = 2;
