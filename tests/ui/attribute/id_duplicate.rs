use port_for::{PortGuard, port_for};

#[port_for("api", "api")]
fn same_attribute(api: PortGuard, admin: PortGuard) {
    let _ = (api, admin);
}

#[port_for("api")]
fn parameter(api: PortGuard, #[port("api")] admin: PortGuard) {
    let _ = (api, admin);
}

fn main() {}
