use port_for::{PortGuard, port_for};

#[port_for("api", default = 0)]
fn zero(api: PortGuard) {
    api.port();
}

#[port_for("api", exact = 70000)]
fn too_high(api: PortGuard) {
    api.port();
}

#[port_for("api", default = "8080")]
fn quoted(api: PortGuard) {
    api.port();
}

#[port_for("api", exact = -1)]
fn negative(api: PortGuard) {
    api.port();
}

#[port_for("api", exact = 80i32)]
fn suffixed(api: PortGuard) {
    api.port();
}

fn main() {}
