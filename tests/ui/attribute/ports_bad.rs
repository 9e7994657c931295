use port_for::{PortGuard, port_for};

#[port_for("api", ports = "20000-20999,215OO")]
fn not_a_number(api: PortGuard) {
    api.port();
}

#[port_for("api", ports = "20999-20000")]
fn backwards(api: PortGuard) {
    api.port();
}

#[port_for("api", ports = 20000..20999)]
fn not_a_string(api: PortGuard) {
    api.port();
}

#[port_for("api", ports = "")]
fn empty(api: PortGuard) {
    api.port();
}

fn main() {}
