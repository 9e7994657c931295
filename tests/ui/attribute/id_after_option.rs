use port_for::{PortGuard, port_for};

#[port_for(default = 8080, "api")]
fn test(api: PortGuard) {
    api.port();
}

fn main() {}
