//! The guide's page about test frameworks, word for word.

use crate::sqlx;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// Serves one greeting, and tells where.
fn serve(listener: TcpListener) -> String {
    let url = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || listener.accept().unwrap().0.write_all(b"hello").unwrap());
    url
}

fn serve_with(_: sqlx::PgPool, listener: TcpListener) -> String {
    serve(listener)
}

/// What the server says, on whatever path.
#[track_caller]
fn get(url: &str) -> String {
    let mut answer = String::new();
    let addr = url.split('/').next().unwrap();
    let mut server = TcpStream::connect(addr).unwrap();
    server.read_to_string(&mut answer).unwrap();
    answer
}

/// A server that binds by itself.
fn start_db(addr: SocketAddr) -> TcpListener {
    TcpListener::bind(addr).unwrap()
}

use start_db as start_mail;

#[rustfmt::skip]
mod plain {
    use super::{get, serve, start_db};

    use port_for::port_for;
    use std::net::{SocketAddr, TcpListener};

    #[port_for("api", "db", timeout = "10s")]
    fn saves(api: TcpListener, db: SocketAddr) {
        let _db = start_db(db); // binds by itself
        let api = serve(api);
        assert_eq!(get(&api), "hello");
    }
}

#[rustfmt::skip]
mod rstest_ {
    use super::{get, serve};

    use port_for::{PortGuard, port_for};
    use rstest::rstest;

    #[port_for] // without an id: each case has a port of its own
    #[rstest]
    #[case("/")]
    #[case("/health")]
    fn answers(#[case] path: &str, mut api: PortGuard) {
        let api = serve(api.take_listener().unwrap());
        assert_eq!(get(&format!("{api}{path}")), "hello");
    }

    #[rstest] // rstest's own way; `port_async` for async tests
    fn answers_from_a_fixture(
        #[from(port_for::fixture::port)]
        #[with("api")]
        mut api: PortGuard,
    ) {
        let api = serve(api.take_listener().unwrap());
        assert_eq!(get(&api), "hello");
    }
}

/// The body of the answer to a `GET /`.
async fn fetch(addr: SocketAddr) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut server = tokio::net::TcpStream::connect(addr).await.unwrap();
    let request = b"GET / HTTP/1.0\r\n\r\n";
    server.write_all(request).await.unwrap();
    let mut answer = String::new();
    server.read_to_string(&mut answer).await.unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[rustfmt::skip]
mod axum_ {
    use super::fetch;

    use axum::{Router, routing::get};
    use port_for::port_for;
    use tokio::net::TcpListener;

    #[port_for("api")]
    #[tokio::test]
    async fn answers(api: TcpListener) {
        let addr = api.local_addr().unwrap();
        let app = Router::new().route("/", get(|| async { "hello" }));
        tokio::spawn(async { axum::serve(api, app).await }); // it ends with the test's runtime
        assert_eq!(fetch(addr).await, "hello");
    }
}

#[rustfmt::skip]
mod tokio_ {
    use super::start_db;

    use port_for::port_for;
    use tokio::net::TcpListener;

    #[port_for("api")]
    #[tokio::test]
    async fn serves(api: TcpListener) -> Result<(), port_for::Error> {
        let mut db = port_for::guard_async("db").await?;
        let _db = start_db(db.vacate()?);
        let client = tokio::net::TcpStream::connect(api.local_addr().unwrap());
        let (server, client) = tokio::join!(api.accept(), client);
        assert_eq!(server.unwrap().1, client.unwrap().local_addr().unwrap());
        Ok(())
    }
}

#[rustfmt::skip]
mod test_log_and_test_case {
    use super::{get, serve};

    use port_for::{PortGuard, port_for};
    use test_case::test_case;

    #[port_for("api")]
    #[test_log::test]
    fn logs(mut api: PortGuard) {
        let api = serve(api.take_listener().unwrap());
        assert_eq!(get(&api), "hello");
    }

    #[port_for(id = format!("shard-{n}"))]
    #[test_case(1)]
    #[test_case(2)]
    fn serves_a_shard(n: u32, mut shard: PortGuard) {
        assert_eq!(shard.id().unwrap(), format!("shard-{n}"));
        let shard = serve(shard.take_listener().unwrap());
        assert_eq!(get(&shard), "hello");
    }
}

#[rustfmt::skip]
mod sqlx_ {
    use super::{get, serve_with, sqlx, start_mail};

    use port_for::{PortGuard, port_for};
    use sqlx::PgPool;
    use std::net::SocketAddr;

    #[port_for("api")]
    #[sqlx::test]
    async fn migrates(pool: PgPool, mut api: PortGuard, #[port("mail")] mail: SocketAddr) {
        let _mail = start_mail(mail);
        let api = serve_with(pool, api.take_listener().unwrap());
        assert_eq!(get(&api), "hello");
    }
}

#[test]
fn the_guide_shows_the_tests_above() {
    let lines = |text: &str| -> String {
        text.lines()
            .map(|line| line.trim().to_owned() + "\n")
            .collect()
    };
    let this = lines(include_str!("guide.rs"));
    let page = include_str!("../../../docs/frameworks.md");
    let blocks: Vec<_> = page.split("```").skip(1).step_by(2).collect();
    let rust: Vec<_> = blocks
        .iter()
        .filter_map(|block| block.strip_prefix("ignore\n"))
        .collect();
    assert_eq!(rust.len(), 6);
    for block in rust {
        assert!(this.contains(&lines(block)), "the guide differs:\n{block}");
    }
}
