use port_for::{PortGuard, port_for};

#[port_for("api", on_busy = "moves")]
fn misspelt(api: PortGuard) {
    api.port();
}

#[port_for("api", on_busy = "explode")]
fn unknown(api: PortGuard) {
    api.port();
}

#[port_for("api", on_busy = Wait)]
fn not_a_string(api: PortGuard) {
    api.port();
}

fn main() {}
