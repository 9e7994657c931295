//! Test attributes that fill parameters, as `#[sqlx::test]` does.

use port_for::{PortGuard, port_for};
use std::net::TcpListener;

use crate::{converse, sqlx};
use sqlx::PgPool;

#[port_for("frameworks/shared")]
#[sqlx::test]
fn one_of_several_parameters(pool: PgPool, mut api: PortGuard) {
    assert_eq!(pool, "");
    converse(&api.take_listener().unwrap(), "pool");
}

#[port_for]
#[sqlx::test]
async fn asynchronous(pool: PgPool, #[port] api: TcpListener) {
    converse(&api, &pool);
}

#[port_for]
#[sqlx::test]
fn marked(#[port] api: TcpListener, pool: u8) {
    assert_eq!(pool, 0);
    converse(&api, "pool");
}
