use port_for::{PortGuard, port_for};

#[port_for]
fn assigned(#[port = "api"] api: PortGuard) {
    api.port();
}

#[port_for]
fn twice(
    #[port("api")]
    #[port("admin")]
    api: PortGuard,
) {
    api.port();
}

#[port_for]
fn two_ids(#[port("api", "admin")] api: PortGuard) {
    api.port();
}

#[port_for]
#[rustfmt::test]
fn with_another(
    #[case]
    #[port("api")]
    api: PortGuard,
) {
    api.port();
}

fn main() {}
