//! Run by `tests/under-nextest`: a test that nextest kills and starts again has its port back at once.

#![allow(
    clippy::disallowed_methods,
    reason = "nextest tells the attempt by environment"
)]
#![allow(missing_docs)]

use std::path::PathBuf;
use std::{env, fs, thread};

use port_for::{PortFor, PortGuard, port_for};

/// Gives up after ten milliseconds if the port is not free, where another test would wait.
#[port_for("retry", on_busy = "fail")]
#[ignore = "run by `tests/under-nextest`"]
fn only_the_first_attempt_hangs(api: PortGuard) {
    let attempt = env::var("NEXTEST_ATTEMPT").unwrap();
    let listed = PortFor::shared().unwrap().assignments().unwrap();
    assert_eq!(
        listed[0].holder().unwrap().test().unwrap(),
        format!("port-for::retry only_the_first_attempt_hangs (attempt {attempt})")
    );
    let port = PathBuf::from(env::var_os("PORT_FOR_STORE").unwrap()).with_extension("retry");
    if attempt == "1" {
        fs::write(port, api.port().to_string()).unwrap();
        loop {
            thread::park();
        }
    }
    assert_eq!(fs::read_to_string(port).unwrap(), api.port().to_string());
}
