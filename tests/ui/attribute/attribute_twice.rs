use port_for::{PortGuard, port_for};

#[port_for("api")]
#[port_for("admin")]
fn test(api: PortGuard, admin: PortGuard) {
    let _ = (api, admin);
}

fn main() {}
