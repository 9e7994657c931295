use port_for::{PortGuard, port_for};

// The compiler removes what is marked with the built-in `test` from a build that is none.
#[port_for("api")]
#[rustfmt::test]
fn owned(api: String) {
    let _ = api;
}

#[port_for("api", "admin")]
#[rustfmt::test]
fn reference(admin: PortGuard, api: &std::net::TcpListener) {
    let _ = (admin, api);
}

fn main() {}
