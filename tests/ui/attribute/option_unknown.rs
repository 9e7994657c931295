use port_for::{PortGuard, port_for};

#[port_for("api", time_out = "5s")]
fn misspelt(api: PortGuard) {
    api.port();
}

#[port_for("api", default_port = 8080)]
fn longer(api: PortGuard) {
    api.port();
}

#[port_for("api", retries = 3)]
fn unlike_any(api: PortGuard) {
    api.port();
}

#[port_for]
fn on_a_parameter(#[port("api", Exact = 80)] api: PortGuard) {
    api.port();
}

#[port_for(port = 8080)]
fn as_elsewhere(api: PortGuard) {
    api.port();
}

fn main() {}
