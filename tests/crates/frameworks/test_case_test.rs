//! `#[test_case]` and `#[test_matrix]`.

use port_for::{PortGuard, port_for};
use test_case::{test_case, test_matrix};

use crate::converse;

#[port_for("frameworks/shared")]
#[test_case("one"; "first")]
#[test_case("two"; "second")]
fn cases(words: &str, mut api: PortGuard) {
    converse(&api.take_listener().unwrap(), words);
}

#[port_for]
#[test_matrix(["one", "two"])]
fn matrix(words: &str, mut api: PortGuard) {
    converse(&api.take_listener().unwrap(), words);
}
