//! What the compiler says about each mistake in an attribute: one message, on the token that is wrong.

#[test]
fn every_mistake_has_its_message() {
    let tests = trybuild::TestCases::new();
    tests.compile_fail("tests/ui/*.rs");
    if cfg!(feature = "rstest") {
        tests.compile_fail("tests/ui/fixture/*.rs");
    }
}
