use port_for::{PortGuard, port_for};

#[port_for("api", timeout)]
fn missing(api: PortGuard) {
    api.port();
}

#[port_for("api", udp = true)]
fn superfluous(api: PortGuard) {
    api.port();
}

#[port_for("api", default =)]
fn cut_short(api: PortGuard) {
    api.port();
}

#[port_for("api", timeout("5s"))]
fn in_parentheses(api: PortGuard) {
    api.port();
}

fn main() {}
