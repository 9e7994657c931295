use port_for::{PortGuard, port_for};

#[port_for("api" "admin")]
fn no_comma(api: PortGuard, admin: PortGuard) {
    let _ = (api, admin);
}

#[port_for(id)]
fn no_value(api: PortGuard) {
    api.port();
}

#[port_for("api", default: 8080)]
fn colon(api: PortGuard) {
    api.port();
}

#[port_for]
fn on_a_parameter(#[port("db" 5432)] db: PortGuard) {
    db.port();
}

fn main() {}
