use port_for::{PortGuard, port_for};

#[port_for("api")]
struct Api {
    guard: PortGuard,
}

#[port_for("api")]
pub mod api {}

trait Test {
    #[port_for("api")]
    fn no_body(api: PortGuard);
}

fn main() {}
