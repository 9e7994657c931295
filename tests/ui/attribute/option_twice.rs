use port_for::{PortGuard, port_for};

#[port_for("api", timeout = "5s", timeout = "6s")]
fn value(api: PortGuard) {
    api.port();
}

#[port_for("api", udp, udp)]
fn flag(api: PortGuard) {
    api.port();
}

#[port_for("api", default = 8080, exact = 8080)]
fn default_and_exact(api: PortGuard) {
    api.port();
}

fn main() {}
