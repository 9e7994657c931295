use port_for::{ServerCommand, SharedServer, port_for};

fn redis() -> ServerCommand {
    ServerCommand::new("redis-server")
}

#[port_for(shared = redis())]
fn without_an_id(redis: SharedServer) {
    redis.port();
}

#[port_for("a", shared = redis())]
fn one_without_an_id(a: SharedServer, #[port] b: SharedServer) {
    (a.port(), b.port());
}

#[port_for("redis", start = redis(), shared = redis())]
fn both(redis: SharedServer) {
    redis.port();
}

#[port_for("redis", shared)]
fn without_a_command(redis: SharedServer) {
    redis.port();
}

#[port_for("redis", shared = "redis-server")]
fn no_command(redis: SharedServer) {
    redis.port();
}

fn main() {}
