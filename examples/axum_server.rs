//! A server in the test's own process: axum on tokio, on the guard's own socket.
//!
//! `cargo run --example axum_server`

use std::error::Error;

use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut guard = port_for::guard("examples/axum_server")?;
    let listener = guard.take_tokio_listener()?;

    let app = Router::new().route("/", get(|| async { "hello from axum" }));
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let server = axum::serve(listener, app).with_graceful_shutdown(async { drop(ended.await) });
    let server = tokio::spawn(server.into_future());

    // No waiting, no retries: the socket has been listening since before the server was there.
    let mut stream = TcpStream::connect(guard.addr()).await?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let body = answer.lines().last().unwrap_or_default();
    println!("http://{}: {body}", guard.addr());
    assert_eq!(body, "hello from axum");

    drop(end);
    server.await??;
    Ok(())
}
