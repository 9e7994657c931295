use port_for::{PortGuard, port_for};

#[port_for("api")]
fn by_reference(ref api: PortGuard) {
    api.port();
}

#[port_for("api")]
fn tuple((api,): (PortGuard,)) {
    api.port();
}

fn main() {}
