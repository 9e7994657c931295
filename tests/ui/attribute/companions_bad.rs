use port_for::{PortGuard, port_for};

#[port_for("number", companions = 10_000)]
fn number(node: PortGuard) {
    drop(node);
}

#[port_for("zero", companions = [0])]
fn zero(node: PortGuard) {
    drop(node);
}

#[port_for("high", companions = [10_000, 65_535])]
fn high(node: PortGuard) {
    drop(node);
}

#[port_for("twice", companions = [10_000, 10000])]
fn twice(node: PortGuard) {
    drop(node);
}

#[port_for("text", companions = ["10000"])]
fn text(node: PortGuard) {
    drop(node);
}

fn main() {}
