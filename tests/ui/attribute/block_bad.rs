use port_for::{PortGuard, port_for};

#[port_for("zero", block = 0)]
fn zero(nodes: Vec<PortGuard>) {
    drop(nodes);
}

#[port_for("many", block = 1_001)]
fn many(nodes: Vec<PortGuard>) {
    drop(nodes);
}

#[port_for("negative", block = -1)]
fn negative(nodes: Vec<PortGuard>) {
    drop(nodes);
}

#[port_for("text", block = "6")]
fn text(nodes: Vec<PortGuard>) {
    drop(nodes);
}

#[port_for("two numbers", block = 6)]
fn two_numbers(nodes: [PortGuard; 3]) {
    drop(nodes);
}

#[port_for("flag", block)]
fn flag(nodes: Vec<PortGuard>) {
    drop(nodes);
}

fn main() {}
