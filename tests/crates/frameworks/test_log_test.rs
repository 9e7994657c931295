//! `#[test_log::test]`.

use port_for::{PortGuard, port_for};

use crate::{converse, converse_async_on};

#[port_for("frameworks/shared")]
#[test_log::test]
fn synchronous(mut api: PortGuard) {
    converse(&api.take_listener().unwrap(), "test-log");
}

#[port_for("frameworks/shared")]
#[test_log::test(tokio::test)]
async fn asynchronous(mut api: PortGuard) {
    converse_async_on(api.take_listener().unwrap(), "test-log").await;
}
