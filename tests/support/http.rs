//! A real HTTP server, and a client.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;

/// An HTTP server that answers every request with one text, until it is dropped.
pub struct HttpServer {
    addr: SocketAddr,
    running: Option<(Arc<tiny_http::Server>, JoinHandle<()>)>,
}

impl HttpServer {
    pub fn on(listener: TcpListener, answer: &str) -> Self {
        let addr = listener.local_addr().unwrap();
        let server = Arc::new(tiny_http::Server::from_listener(listener, None).unwrap());
        let (inside, answer) = (Arc::clone(&server), answer.to_owned());
        let thread = std::thread::spawn(move || {
            for request in inside.incoming_requests() {
                // A client that has gone away is its own affair.
                let _ = request.respond(tiny_http::Response::from_string(&answer));
            }
        });
        Self {
            addr,
            running: Some((server, thread)),
        }
    }

    /// What a client gets.
    pub fn get(&self) -> String {
        get(self.addr)
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        if let Some((server, thread)) = self.running.take() {
            server.unblock();
            let ended = thread.join();
            assert!(
                ended.is_ok() || std::thread::panicking(),
                "the server panicked"
            );
        }
        // tiny_http closes its listener in a thread of its own, which cannot be joined. It takes microseconds, which a
        // bench measures along: no pause between two looks.
        while TcpStream::connect(self.addr).is_ok() {
            std::thread::yield_now();
        }
    }
}

/// The body of `GET /` there.
#[track_caller]
pub fn get(addr: SocketAddr) -> String {
    body(&ask(addr).unwrap())
}

/// As [`get`], of a server that may not be ready yet: none without an answer of status 200.
pub fn try_get(addr: SocketAddr) -> Option<String> {
    let response = ask(addr).ok()?;
    (response.status_code == 200).then(|| body(&response))
}

fn ask(addr: SocketAddr) -> Result<minreq::Response, minreq::Error> {
    minreq::get(format!("http://{addr}/"))
        .with_timeout(30)
        .send()
}

fn body(response: &minreq::Response) -> String {
    response.as_str().unwrap().to_owned()
}
