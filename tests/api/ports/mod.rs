//! Which ports: the set, its text, and the questions about single ports.

use port_for::PortSet;

mod a_port;
mod a_set;
mod collection;
mod good_ranges;
mod pick;
mod set_operations;
mod text;

#[track_caller]
fn set(text: &str) -> PortSet {
    text.parse().unwrap()
}
