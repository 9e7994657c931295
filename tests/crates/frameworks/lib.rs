//! The attribute beside the test attributes that people use: in each, a server runs on the port and a client asks it.

#![cfg(test)]

#[path = "../../support/child.rs"]
#[allow(
    unused,
    unreachable_pub,
    reason = "the other test programs use all of it"
)]
mod child;
mod fixture_test;
mod guide;
mod other_runtimes_test;
mod plain;
mod pool_test;
mod rstest_reuse_test;
mod rstest_test;
mod test_case_test;
mod test_log_test;
mod tokio_test;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

/// Runs a server on `listener` that says `words` once, and hears them as its client.
#[track_caller]
fn converse(listener: &TcpListener, words: &str) {
    let addr = listener.local_addr().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut client, _) = listener.accept().unwrap();
            client.write_all(words.as_bytes()).unwrap();
        });
        let mut heard = String::new();
        let mut server = TcpStream::connect(addr).unwrap();
        server.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, words);
    });
}

/// The same in tokio.
async fn converse_async(listener: tokio::net::TcpListener, words: &'static str) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let addr = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        client.write_all(words.as_bytes()).await.unwrap();
    });
    let mut heard = String::new();
    let mut client = tokio::net::TcpStream::connect(addr).await.unwrap();
    client.read_to_string(&mut heard).await.unwrap();
    server.await.unwrap();
    assert_eq!(heard, words);
}

/// The same on a listener of the standard library.
async fn converse_async_on(listener: TcpListener, words: &'static str) {
    listener.set_nonblocking(true).unwrap();
    converse_async(tokio::net::TcpListener::from_std(listener).unwrap(), words).await;
}

/// Runs a future on this thread, as small runtimes do.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// What `#[sqlx::test]` brings.
mod sqlx {
    pub(super) use frameworks_stand_ins::pool_test as test;
    pub(super) type PgPool = String;
}
