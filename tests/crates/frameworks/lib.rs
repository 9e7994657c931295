//! The attribute beside the test attributes that people use: in each, a server runs on the port and a client asks it.

#![cfg(test)]

mod readme;

use port_for::{PortGuard, port_for};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::pin::pin;
use std::process::Command;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

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

mod plain {
    use super::*;

    #[port_for("frameworks/shared")]
    fn alone(mut api: PortGuard) {
        converse(&api.take_listener().unwrap(), "plain");
    }

    #[port_for]
    #[test]
    fn with_test(listener: TcpListener) {
        converse(&listener, "plain");
    }

    #[port_for]
    fn a_server_may_bind_by_itself(addr: SocketAddr, port: u16) {
        converse(&TcpListener::bind(addr).unwrap(), "addr");
        converse(&TcpListener::bind(("127.0.0.1", port)).unwrap(), "port");
    }

    #[port_for("frameworks/a", "frameworks/b")]
    fn one_order(a: TcpListener, b: TcpListener) {
        converse(&a, "a");
        converse(&b, "b");
    }

    #[port_for("frameworks/b", "frameworks/a")]
    fn the_other_order(b: TcpListener, a: TcpListener) {
        converse(&a, "a");
        converse(&b, "b");
    }

    #[port_for]
    fn a_result(listener: TcpListener) -> std::io::Result<()> {
        converse(&listener, "result");
        listener.local_addr().map(drop)
    }

    #[port_for]
    #[should_panic(expected = "on purpose")]
    fn a_panic(listener: TcpListener) {
        converse(&listener, "panic");
        panic!("on purpose");
    }
}

mod tokio_test {
    use super::*;

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
}

mod rstest_test {
    use super::*;
    use rstest::{fixture, rstest};

    #[fixture]
    fn words() -> String {
        "fixture".to_owned()
    }

    #[fixture]
    #[once]
    fn once() -> u8 {
        1
    }

    #[port_for("frameworks/shared")]
    #[rstest]
    #[case("one")]
    #[case::named("two")]
    fn cases(api: TcpListener, #[case] words: &str) {
        converse(&api, words);
    }

    #[port_for]
    #[rstest]
    fn each_case_has_an_id(#[values("x", "y")] words: &str, mut api: PortGuard) {
        let nth = if words == "x" { 1 } else { 2 };
        let id = format!("frameworks::rstest_test::each_case_has_an_id::words_{nth}");
        assert!(api.id().starts_with(&id), "{}", api.id());
        converse(&api.take_listener().unwrap(), words);
    }

    #[port_for(id = format!("frameworks/shard-{n}"))]
    #[rstest]
    fn an_id_of_a_case(#[values(1, 2)] n: u8, mut api: PortGuard) {
        assert_eq!(api.id(), format!("frameworks/shard-{n}"));
        converse(&api.take_listener().unwrap(), "shard");
    }

    #[port_for("frameworks/shared")]
    #[rstest]
    fn fixtures(words: String, once: &u8, mut api: PortGuard) {
        assert_eq!(*once, 1);
        converse(&api.take_listener().unwrap(), &words);
    }

    #[port_for]
    #[rstest]
    fn marked(words: String, #[port("frameworks/marked")] api: TcpListener) {
        converse(&api, &words);
    }

    #[port_for]
    #[rstest]
    #[timeout(Duration::from_secs(100))]
    fn on_a_thread_of_its_own(#[values(1, 2)] n: u8, mut api: PortGuard) {
        let id = format!("frameworks::rstest_test::on_a_thread_of_its_own::n_{n}_");
        assert!(api.id().starts_with(&id), "{}", api.id());
        converse(&api.take_listener().unwrap(), "timeout");
    }

    #[port_for("frameworks/shared")]
    #[rstest]
    #[case("async")]
    #[tokio::test]
    async fn asynchronous(#[case] words: &'static str, #[future] slow: u8, mut api: PortGuard) {
        assert_eq!(slow.await, 1);
        let listener = api.take_listener().unwrap();
        listener.set_nonblocking(true).unwrap();
        converse_async(tokio::net::TcpListener::from_std(listener).unwrap(), words).await;
    }

    #[port_for("frameworks/shared")]
    #[rstest]
    #[timeout(Duration::from_secs(100))]
    #[tokio::test]
    async fn asynchronous_with_a_timeout(api: tokio::net::TcpListener) {
        converse_async(api, "timeout").await;
    }

    #[fixture]
    async fn slow() -> u8 {
        1
    }

    /// Has the port while others wait for it, and lets it go only if the runtime goes on meanwhile.
    #[fixture]
    async fn neighbour() {
        let take = tokio::spawn(port_for::guard_async("frameworks/neighbour"));
        let guard = take.await.unwrap().unwrap();
        tokio::spawn(async move {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            drop(guard);
        });
    }

    #[port_for("frameworks/neighbour")]
    #[rstest]
    #[tokio::test]
    async fn a_wait_before_the_body_does_not_stop_the_runtime(
        #[future(awt)] neighbour: (),
        api: TcpListener,
    ) {
        let () = neighbour;
        api.set_nonblocking(true).unwrap();
        converse_async(tokio::net::TcpListener::from_std(api).unwrap(), "after").await;
    }

    #[port_for("frameworks/twice")]
    #[rstest]
    #[tokio::test]
    #[should_panic(expected = "was taken by this thread or task")]
    async fn a_wait_for_the_tests_own_fixture_is_told_at_once(
        #[from(port_for::fixture::port)]
        #[with("frameworks/twice")]
        first: PortGuard,
        second: PortGuard,
    ) {
        drop([first, second]);
    }

    #[port_for("frameworks/shared")]
    #[rstest]
    #[case(1_u8)]
    #[case("generic")]
    fn generic<T: std::fmt::Debug>(#[case] words: T, mut api: PortGuard) {
        converse(&api.take_listener().unwrap(), &format!("{words:?}"));
    }
}

mod fixture_test {
    use super::*;
    use port_for::fixture::port;
    use rstest::rstest;

    #[rstest]
    fn named_by_path(
        #[from(port_for::fixture::port)]
        #[with("frameworks/shared")]
        mut api: PortGuard,
    ) {
        assert_eq!(api.id(), "frameworks/shared");
        converse(&api.take_listener().unwrap(), "fixture");
    }

    #[rstest]
    #[case("frameworks/one")]
    #[case("frameworks/two")]
    fn with_an_id_of_the_case(#[case] id: &str, #[with(id)] mut port: PortGuard) {
        assert_eq!(port.id(), id);
        converse(&port.take_listener().unwrap(), "fixture");
    }

    #[rstest]
    #[tokio::test]
    async fn asynchronous(
        #[from(port)]
        #[with("frameworks/shared")]
        mut api: PortGuard,
    ) {
        let listener = api.take_listener().unwrap();
        listener.set_nonblocking(true).unwrap();
        converse_async(
            tokio::net::TcpListener::from_std(listener).unwrap(),
            "fixture",
        )
        .await;
    }

    #[rstest]
    #[tokio::test]
    async fn asynchronous_waiting(
        #[future]
        #[from(port_for::fixture::port_async)]
        #[with("frameworks/shared")]
        api: PortGuard,
    ) {
        let mut api = api.await;
        let listener = api.take_listener().unwrap();
        listener.set_nonblocking(true).unwrap();
        converse_async(
            tokio::net::TcpListener::from_std(listener).unwrap(),
            "fixture",
        )
        .await;
    }

    #[rstest]
    #[ignore = "run by `a_failure_points_at_the_test`"]
    fn fails(#[with("-invalid")] port: PortGuard) {
        drop(port);
    }

    #[rstest]
    #[tokio::test]
    #[ignore = "run by `a_failure_points_at_the_test`"]
    async fn fails_async(
        #[future(awt)]
        #[from(port_for::fixture::port_async)]
        #[with("-invalid")]
        api: PortGuard,
    ) {
        drop(api);
    }

    #[test]
    fn a_failure_points_at_the_test() {
        for (name, line) in [("fails", line!() - 20), ("fails_async", line!() - 14)] {
            let output = Command::new(std::env::current_exe().unwrap())
                .args(["--ignored", "--nocapture", "--exact"])
                .arg(format!("fixture_test::{name}"))
                .output()
                .unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success());
            let place = format!("{}:{line}:", file!());
            assert!(stderr.contains(&place), "{place} is not in: {stderr}");
            assert!(stderr.contains("-invalid"), "{stderr}");
        }
    }
}

mod rstest_reuse_test {
    use super::*;
    use rstest::rstest;
    use rstest_reuse::{apply, template};

    #[template]
    #[rstest]
    #[case("one")]
    #[case("two")]
    fn conversations(#[case] words: &str) {}

    #[port_for("frameworks/shared")]
    #[apply(conversations)]
    fn reused(words: &str, mut api: PortGuard) {
        converse(&api.take_listener().unwrap(), words);
    }
}

mod test_log_test {
    use super::*;

    #[port_for("frameworks/shared")]
    #[test_log::test]
    fn synchronous(mut api: PortGuard) {
        converse(&api.take_listener().unwrap(), "test-log");
    }

    #[port_for("frameworks/shared")]
    #[test_log::test(tokio::test)]
    async fn asynchronous(mut api: PortGuard) {
        let listener = api.take_listener().unwrap();
        listener.set_nonblocking(true).unwrap();
        converse_async(
            tokio::net::TcpListener::from_std(listener).unwrap(),
            "test-log",
        )
        .await;
    }
}

mod test_case_test {
    use super::*;
    use test_case::{test_case, test_matrix};

    #[port_for("frameworks/shared")]
    #[test_case("one"; "first")]
    #[test_case("two"; "second")]
    fn cases(words: &str, mut api: PortGuard) {
        converse(&api.take_listener().unwrap(), words);
    }

    #[port_for]
    #[test_matrix(["one", "two"])]
    fn matrix(words: &str, mut api: PortGuard) {
        converse(&api.take_listener().unwrap(), words);
    }
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

mod async_std {
    pub(super) use frameworks_stand_ins::runtime_test as test;
}

mod smol_potat {
    pub(super) use frameworks_stand_ins::runtime_test as test;
}

mod other_runtimes_test {
    use super::*;

    #[port_for("frameworks/shared")]
    #[async_std::test]
    async fn of_async_std(api: TcpListener) {
        converse(&api, "async-std");
    }

    #[port_for("frameworks/shared")]
    #[smol_potat::test]
    async fn of_smol(mut api: PortGuard) -> Result<(), port_for::Error> {
        converse(&api.take_listener()?, "smol");
        Ok(())
    }
}

mod sqlx {
    pub(super) use frameworks_stand_ins::pool_test as test;
    pub(super) type PgPool = String;
}

mod pool_test {
    use super::*;
    use sqlx::PgPool;

    #[port_for("frameworks/shared")]
    #[sqlx::test]
    fn one_of_several_parameters(pool: PgPool, mut api: PortGuard) {
        assert_eq!(pool, "");
        converse(&api.take_listener().unwrap(), "pool");
    }

    #[port_for]
    #[sqlx::test]
    async fn asynchronous(pool: PgPool, #[port] api: TcpListener) {
        converse(&api, &pool);
    }

    #[port_for]
    #[sqlx::test]
    fn marked(#[port] api: TcpListener, pool: u8) {
        assert_eq!(pool, 0);
        converse(&api, "pool");
    }
}
