//! redis: takes no socket, binds `--port N` by itself.

use crate::programs::{redis, redis_command};
use crate::support::installed::find;
use crate::support::{PATIENCE, TempStore};

#[test]
fn redis_serves_under_spawn() {
    let Some(program) = find("redis-server") else {
        return;
    };
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let mut server = guard
        .spawn(&mut redis_command(&program, guard.port()))
        .unwrap();
    server.wait_ready(PATIENCE).unwrap();
    assert_eq!(redis(guard.addr(), "SET it me").unwrap(), "+OK\r\n");
    assert_eq!(redis(guard.addr(), "GET it").unwrap(), "$2\r\nme\r\n");
    assert!(server.stop().unwrap().status().success());
}

#[test]
fn redis_is_ready_when_it_pongs() {
    let Some(program) = find("redis-server") else {
        return;
    };
    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let mut server = guard
        .spawn(&mut redis_command(&program, guard.port()))
        .unwrap();
    server
        .wait_until(PATIENCE, |addr| {
            redis(addr, "PING").is_ok_and(|answer| answer == "+PONG\r\n")
        })
        .unwrap();
}
