//! A database made for the test: `PostgreSQL` in a folder of its own, ended by SIGINT.
//!
//! `cargo run --example postgres`; needs `initdb`, `postgres` and `pg_isready`.

use std::error::Error;

use port_for::{PortFor, Ready, ServerCommand, Signal};

fn postgres() -> ServerCommand {
    ServerCommand::new("postgres")
        .args([
            "-D",
            "{dir}/data",
            "-p",
            "{port}",
            "-k",
            "{dir}",
            "-c",
            "fsync=off",
        ])
        .setup(
            "initdb",
            [
                "--auth=trust",
                "--username=test",
                "--no-sync",
                "-D",
                "{dir}/data",
            ],
        )
        .ready(Ready::command(
            "pg_isready",
            ["-h", "127.0.0.1", "-p", "{port}", "-U", "test", "-q"],
        ))
        .stop_signal(Signal::Int)
}

fn main() -> Result<(), Box<dyn Error>> {
    // As root, it wants another user.
    let command = match std::env::args().nth(1) {
        Some(user) => postgres().user(user),
        None => postgres(),
    };
    let mut server = PortFor::shared()?
        .request("examples/postgres")
        .start(&command)?;
    println!("postgres://test@{}/postgres", server.addr());
    println!("postgres has ended: {}", server.stop()?.status());
    Ok(())
}
