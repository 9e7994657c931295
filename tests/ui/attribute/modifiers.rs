use port_for::{PortGuard, port_for};

#[port_for("api")]
const fn constant(api: &PortGuard) {
    api.port();
}

#[port_for("api")]
unsafe fn not_safe(api: PortGuard) {
    api.port();
}

#[port_for("api")]
extern "C" fn foreign(api: &PortGuard) {
    api.port();
}

#[port_for("api")]
fn generic<T>(api: PortGuard) {
    api.port();
}

fn main() {}
