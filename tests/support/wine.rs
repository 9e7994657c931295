//! What Windows does, and Wine (of version 8) does not, although it is what runs programs for Windows here.

use std::io::Write;

/// Whether the system reports which process has a socket; for Wine all are of process 0. If not, the calling test leaves
/// out what rests on it, and this is reported on stderr with the test's name.
pub fn tells_whose_a_socket_is() -> bool {
    does("tell whose a socket is")
}

/// Whether a lock keeps others from reading what is locked, as on Windows and nowhere else. If not, as above.
#[cfg(windows)]
pub fn locks_keep_readers_out() -> bool {
    does("keep readers from what is locked")
}

fn does(what: &str) -> bool {
    // Wine tells its programs where its configuration is.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is about the machine, not about our configuration"
    )]
    let is_wine = std::env::var_os("WINECONFIGDIR").is_some();
    if is_wine {
        let test = std::thread::current();
        let test = test.name().unwrap_or_default();
        // Not `eprintln!`, which the harness keeps back.
        let mut stderr = std::io::stderr().lock();
        writeln!(stderr, "left out in part: {test}: Wine does not {what}").unwrap();
    }
    !is_wine
}
