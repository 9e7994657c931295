use port_for::{PortGuard, port_for};

#[port_for(b"api")]
fn test(api: PortGuard) {
    api.port();
}

fn main() {}
