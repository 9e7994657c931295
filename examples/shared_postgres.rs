//! One `PostgreSQL` for a whole run of tests, with a database for each test: a copy of a template that is made once.
//!
//! Run it twice within ten seconds: the second run finds the server, and its template, that the first has left.
//! `cargo run --example shared_postgres`; needs `initdb`, `postgres`, `pg_isready` and `psql`. As root, name another user
//! behind `--`, such as `postgres`.

use std::error::Error;
use std::net::SocketAddr;
use std::process::Command;

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

fn sql(addr: SocketAddr, database: &str, command: &str) -> Result<(), Box<dyn Error>> {
    let url = format!("postgres://test@{addr}/{database}");
    let status = Command::new("psql")
        .args(["-q", "-c", command, &url])
        .status()?;
    status
        .success()
        .then_some(())
        .ok_or_else(|| format!("{command}: {status}").into())
}

fn main() -> Result<(), Box<dyn Error>> {
    let command = match std::env::args().nth(1) {
        Some(user) => postgres().user(user),
        None => postgres(),
    };
    let request = PortFor::shared()?.request("examples/shared_postgres");
    let server = request.start_shared(&command)?;

    // In each test: the first one makes the template, the others wait for it.
    let template = server.once("schema", |addr| {
        println!("making the template");
        sql(addr, "postgres", "CREATE DATABASE template")?;
        sql(
            addr,
            "template",
            "CREATE TABLE users (name text PRIMARY KEY)",
        )?;
        Ok::<_, Box<dyn Error>>("template".to_owned())
    });
    let template = template.map_err(|error| error.to_string())?;
    let own = format!("test_{}", std::process::id());
    sql(
        server.addr(),
        "postgres",
        &format!("CREATE DATABASE {own} TEMPLATE {template}"),
    )?;
    println!("postgres://test@{}/{own}", server.addr());
    Ok(())
}
