use port_for::{PortGuard, port_for};

// The compiler removes what is marked with the built-in `test` from a build that is none.
#[port_for(id = n)]
#[rustfmt::test]
fn test(n: u32, api: PortGuard) {
    let _ = (n, api.port());
}

fn main() {}
