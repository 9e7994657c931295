use port_for::{PortGuard, port_for};

#[port_for("api")]
fn forever(api: &'static PortGuard) {
    api.port();
}

#[port_for("api")]
fn named<'a>(api: &'a PortGuard) {
    api.port();
}

fn main() {}
