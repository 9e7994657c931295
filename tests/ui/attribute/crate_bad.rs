use port_for::{PortGuard, port_for};

#[port_for("api", crate = "renamed")]
fn quoted(api: PortGuard) {
    api.port();
}

#[port_for]
fn on_a_parameter(#[port("api", crate = renamed)] api: PortGuard) {
    api.port();
}

fn main() {}
