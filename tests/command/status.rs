//! The exit status of `port-for NAME -- CMD` is CMD's, whether the process became CMD or waits for it.

use rstest::rstest;

use crate::Store;

#[rstest]
#[case("exit 0", 0)]
#[case("exit 7", 7)]
#[case("exit 255", 255)]
fn the_exit_status_is_the_commands(#[case] script: &str, #[case] status: i32) {
    let shell = if cfg!(windows) {
        ["cmd", "/c"]
    } else {
        ["sh", "-c"]
    };
    let store = Store::new();
    store
        .run(&["status", "--", shell[0], shell[1], script])
        .code(status)
        .stdout("")
        .stderr("");
}
