use port_for::{PortGuard, port_for};

#[port_for("api\n")]
fn test(api: PortGuard) {
    api.port();
}

fn main() {}
