use port_for::{PortGuard, port_for};

#[port_for("api", id = "admin")]
fn literal_and_option(api: PortGuard) {
    api.port();
}

#[port_for(id = "")]
fn option_is_validated_too(api: PortGuard) {
    api.port();
}

fn main() {}
