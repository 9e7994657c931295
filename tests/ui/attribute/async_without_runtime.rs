use port_for::{PortGuard, port_for};

#[port_for("api")]
async fn test(api: PortGuard) {
    api.port();
}

fn main() {}
