use port_for::{PortGuard, port_for};

#[port_for("api", host = "local.net")]
fn name(api: PortGuard) {
    api.port();
}

#[port_for("api", host = 127)]
fn number(api: PortGuard) {
    api.port();
}

fn main() {}
