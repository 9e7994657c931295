use port_for::port_for;

#[port_for]
fn test() {}

fn main() {}
