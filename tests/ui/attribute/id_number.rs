use port_for::{PortGuard, port_for};

#[port_for(8080)]
fn test(api: PortGuard) {
    api.port();
}

fn main() {}
