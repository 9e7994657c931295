use port_for::{PortGuard, port_for};

#[port_for("api")]
fn test(api: PortGuard, admin: PortGuard) {
    let _ = (api, admin);
}

fn main() {}
