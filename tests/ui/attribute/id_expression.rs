use port_for::{PortGuard, port_for};

#[port_for(format!("api"))]
fn test(api: PortGuard) {
    api.port();
}

fn main() {}
