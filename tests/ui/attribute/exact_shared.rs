use port_for::{PortGuard, port_for};

#[port_for("api", "admin", exact = 8080)]
fn by_the_function(api: PortGuard, admin: PortGuard) {
    let _ = (api, admin);
}

#[port_for]
fn by_the_parameters(
    #[port("api", exact = 8080)] api: PortGuard,
    #[port("admin", exact = 8080)] admin: PortGuard,
) {
    let _ = (api, admin);
}

fn main() {}
