//! What the compiler says about each mistake in an attribute: one message, on the token that is wrong.
//!
//! It is the same on every system, and takes a cargo to hear, which there is none of where Windows' programs are run by
//! Wine.
#![cfg(not(windows))]

#[test]
fn every_mistake_has_its_message() {
    let tests = trybuild::TestCases::new();
    tests.compile_fail("tests/ui/attribute/*.rs");
    tests.compile_fail("tests/ui/fixture/*.rs");
}
