//! Run by `tests/under-nextest`, for these need a nextest that kills and retries.

use std::path::PathBuf;
use std::{env, fs, thread};

use port_for::{PortFor, PortGuard, port_for};

/// Its second attempt has the port at once: it gives up after ten milliseconds, where another test would wait.
#[port_for("retry", on_busy = "fail")]
#[ignore = "run by `tests/under-nextest`"]
fn only_the_first_attempt_hangs(api: PortGuard) {
    let attempt = env::var("NEXTEST_ATTEMPT").unwrap();
    let listed = PortFor::shared().unwrap().assignments().unwrap();
    let own = listed.iter().find(|found| found.id() == "retry").unwrap();
    assert_eq!(
        own.holder().unwrap().test().unwrap(),
        format!("port-for::api nextest::only_the_first_attempt_hangs (attempt {attempt})")
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

/// The one of the README.
#[test]
#[ignore = "run by `tests/under-nextest`"]
fn a_setup_script_has_told_a_port() {
    let port = env::var("PROXY_PORT").unwrap();
    assert_eq!(
        port_for::forward_port("proxy", 0).unwrap().to_string(),
        port
    );
}
