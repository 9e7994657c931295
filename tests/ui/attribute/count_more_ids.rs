use port_for::{PortGuard, port_for};

#[port_for("api", "admin")]
fn one_too_many(api: PortGuard) {
    api.port();
}

#[port_for("api")]
#[test]
fn no_parameter() {}

#[port_for("api")]
fn marked_parameters_do_not_count(#[port("admin")] admin: PortGuard) {
    admin.port();
}

fn main() {}
