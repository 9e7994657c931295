use port_for::{PortGuard, port_for};

#[port_for("api", timeout = "5")]
fn no_unit(api: PortGuard) {
    api.port();
}

#[port_for("api", timeout = 5)]
fn number(api: PortGuard) {
    api.port();
}

#[port_for("api", timeout = "1.5s")]
fn fraction(api: PortGuard) {
    api.port();
}

#[port_for("api", timeout = "5h")]
fn unknown_unit(api: PortGuard) {
    api.port();
}

#[port_for("api", timeout = "18446744073709551615m")]
fn overflow(api: PortGuard) {
    api.port();
}

fn main() {}
