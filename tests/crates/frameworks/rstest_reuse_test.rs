//! `#[apply]` of a template.

use port_for::{PortGuard, port_for};
use rstest::rstest;
use rstest_reuse::{apply, template};

use crate::converse;

#[template]
#[rstest]
#[case("one")]
#[case("two")]
fn conversations(#[case] words: &str) {}

#[port_for("frameworks/shared")]
#[apply(conversations)]
fn reused(words: &str, mut api: PortGuard) {
    converse(&api.take_listener().unwrap(), words);
}
