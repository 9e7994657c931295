use port_for::{PortGuard, port_for};

#[port_for("api", "-admin", timeout = "5", retries = 3)]
fn test(api: PortGuard, admin: PortGuard) {
    let _ = (api, admin);
}

fn main() {}
