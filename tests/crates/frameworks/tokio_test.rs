//! `#[tokio::test]`.

use port_for::{PortGuard, port_for};

use crate::converse_async;

#[port_for("frameworks/shared")]
#[tokio::test]
async fn current_thread(api: tokio::net::TcpListener) {
    converse_async(api, "tokio").await;
}

#[port_for("frameworks/shared")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn multi_thread(api: tokio::net::TcpListener) {
    converse_async(api, "tokio").await;
}

#[port_for]
#[tokio::test]
async fn lent(api: &mut PortGuard) -> Result<(), port_for::Error> {
    let addr = api.vacate()?;
    let listener = tokio::net::TcpListener::bind(addr).await.unwrap();
    converse_async(listener, "lent").await;
    Ok(())
}

#[tokio::test]
#[port_for]
#[should_panic(expected = "`#[tokio::test]` goes below `#[port_for]`")]
async fn in_the_wrong_order(api: tokio::net::TcpListener) {
    drop(api);
}
