//! What the compiler says about each mistake in an attribute: one message, on the token that is wrong.

#[test]
fn every_mistake_has_its_message() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
