use port_for::{PortGuard, port_for};

#[rstest::rstest]
#[port_for("api")]
fn fixture(api: PortGuard) {
    api.port();
}

#[rstest::rstest]
#[case(1)]
#[port_for("api")]
fn cases(#[case] n: u8, api: PortGuard) {
    let _ = (n, api);
}

fn main() {}
