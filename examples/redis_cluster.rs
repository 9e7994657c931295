//! A redis cluster: six nodes on consecutive ports, each with its bus 10,000 above.
//!
//! `cargo run --example redis_cluster`; needs `redis-server` and `redis-cli`.

use std::error::Error;
use std::process::Command;

use port_for::{PortFor, Ready, Server, ServerCommand};

fn node() -> ServerCommand {
    ServerCommand::new("redis-server")
        .args(["--bind", "127.0.0.1", "--port", "{port}"])
        .args(["--cluster-enabled", "yes", "--cluster-port", "{port+10000}"])
        .args(["--dir", "{dir}", "--save", ""])
        .ready(Ready::listening().and(Ready::line("Ready to accept connections")))
}

fn main() -> Result<(), Box<dyn Error>> {
    let nodes = PortFor::shared()?.request("examples/cluster");
    let mut guards = nodes.block(6).companions([10_000]).guards()?;
    let servers = guards.iter_mut().map(|guard| guard.start(&node()));
    let servers: Vec<Server> = servers.collect::<Result<_, _>>()?;

    let addrs = servers.iter().map(|server| server.addr().to_string());
    let mut create = Command::new("redis-cli");
    create.args(["--cluster", "create"]).args(addrs);
    let created = create
        .args(["--cluster-replicas", "1", "--cluster-yes"])
        .output()?;
    let said = String::from_utf8_lossy(&created.stdout);
    assert!(said.contains("All 16384 slots covered"), "{said}");
    println!(
        "a cluster of {} nodes from {} on",
        servers.len(),
        servers[0].addr()
    );
    Ok(())
}
