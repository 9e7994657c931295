use port_for::{PortGuard, port_for};

const API: &str = "api";

#[port_for(API)]
fn test(api: PortGuard) {
    api.port();
}

fn main() {}
