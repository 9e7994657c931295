use port_for::{PortGuard, port_for};

#[port_for("api")]
#[rustfmt::test]
fn ids(settings: String, api: PortGuard, admin: PortGuard) {
    let _ = (settings, api, admin);
}

#[port_for]
#[rustfmt::test]
fn bare(settings: String) {
    let _ = settings;
}

fn main() {}
