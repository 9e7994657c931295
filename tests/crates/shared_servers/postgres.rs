//! One `PostgreSQL` for all tests, and a database for each: a copy of a template that is made once.

#![cfg(unix)]

use std::net::SocketAddr;
use std::process;

use port_for::{PortFor, Ready, ServerCommand, SharedServer, Signal};
use shared_servers::{are_installed, is_root, run};

fn postgres() -> ServerCommand {
    let postgres = ServerCommand::new("postgres")
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
        .stop_signal(Signal::Int);
    if is_root() {
        postgres.user("postgres")
    } else {
        postgres
    }
}

/// What `psql` prints.
fn sql(addr: SocketAddr, database: &str, command: &str) -> String {
    let url = format!("postgres://test@{addr}/{database}");
    run(
        "psql",
        &[
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-c",
            command,
            &url,
        ],
    )
}

/// A database of the test's own, with the schema in it. It ends with the server.
fn database(server: &SharedServer, test: &str) -> String {
    let template = server.once("schema", |addr| {
        sql(addr, "postgres", "CREATE DATABASE template");
        sql(
            addr,
            "template",
            "CREATE TABLE users (name text PRIMARY KEY)",
        );
        Ok::<_, std::convert::Infallible>("template".to_owned())
    });
    let (template, own) = (template.unwrap(), format!("{test}_{}", process::id()));
    let create = format!("CREATE DATABASE {own} TEMPLATE {template} STRATEGY file_copy");
    sql(server.addr(), "postgres", &create);
    own
}

/// The same user in each: they would be in each other's way in one database.
fn signs_up(test: &str, server: &SharedServer) {
    let own = database(server, test);
    sql(server.addr(), &own, "INSERT INTO users VALUES ('ferris')");
    assert_eq!(sql(server.addr(), &own, "SELECT count(*) FROM users"), "1");
}

macro_rules! tests {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            if are_installed(&["postgres", "initdb", "pg_isready", "psql"]) {
                signs_up(stringify!($name), &shared());
            }
        }
    )*};
}

/// As `#[port_for("tests/postgres", shared = postgres())]` on a test, but only where it can be had.
fn shared() -> SharedServer {
    let request = PortFor::shared().unwrap().request("tests/postgres");
    request.start_shared(&postgres()).unwrap()
}

tests!(one two three four five six seven eight);
