//! Programs that a machine has or has not.

#![allow(
    clippy::disallowed_methods,
    reason = "this is about the machine, not about our configuration"
)]

use std::io::Write;
use std::path::{Path, PathBuf};

/// The program, if it is installed. If not, the calling test is to return: it is skipped, which is reported on stderr
/// with its name. On CI a program that is not there is a failure.
#[track_caller]
pub fn find(program: &str) -> Option<PathBuf> {
    let installed = std::env::split_paths(&std::env::var_os("PATH").unwrap())
        // Where Debian keeps nginx, and where `.ci/run` puts Python's servers.
        .chain(["/usr/sbin".into(), python_env().join("bin")])
        .map(|folder| folder.join(program))
        .find(|path| path.is_file());
    if installed.is_none() {
        let test = std::thread::current();
        let test = test.name().unwrap_or_default();
        assert!(
            std::env::var_os("CI").is_none(),
            "{test} needs `{program}`, which is to be installed on CI"
        );
        // Not `eprintln!`, which the harness keeps back.
        let mut stderr = std::io::stderr().lock();
        writeln!(stderr, "skipped: {test}: `{program}` is not installed").unwrap();
    }
    installed
}

/// A Python environment with uvicorn and gunicorn in it.
fn python_env() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv")
}
