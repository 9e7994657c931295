//! What only some users may do. A test that may not is to return: it is skipped, which is reported on stderr with its name.

use std::io::Write;
use std::process::Command;

/// Whether this is root, who alone may become another user.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root() || skip("this is not root")
}

/// Whether a namespace of this kind can be made, as by `unshare --net`.
pub fn can_unshare(kind: &str) -> bool {
    unshares(kind) || skip(&format!("`unshare {kind}` is refused"))
}

/// The command in a network of its own, where no other program of the machine can take a port. That takes root: else in this
/// one.
pub fn alone(command: &Command) -> Command {
    let script = if unshares("--net") {
        r#"exec unshare --net sh -c 'ip link set lo up && exec "$@"' sh "$@""#
    } else {
        r#"exec "$@""#
    };
    super::child::in_shell(script, command)
}

fn unshares(kind: &str) -> bool {
    let tried = Command::new("unshare").args([kind, "true"]).output();
    tried.is_ok_and(|done| done.status.success())
}

fn skip(why: &str) -> bool {
    let test = std::thread::current();
    let test = test.name().unwrap_or_default();
    // Not `eprintln!`, which the harness keeps back.
    let mut stderr = std::io::stderr().lock();
    writeln!(stderr, "skipped: {test}: {why}").unwrap();
    false
}
