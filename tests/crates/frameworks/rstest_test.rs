//! `#[rstest]`, below the attribute.

use port_for::{PortGuard, port_for};
use rstest::{fixture, rstest};
use std::net::TcpListener;
use std::time::Duration;

use crate::{converse, converse_async, converse_async_on};

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
    assert!(api.id().unwrap().starts_with(&id), "{:?}", api.id());
    converse(&api.take_listener().unwrap(), words);
}

#[port_for(id = format!("frameworks/shard-{n}"))]
#[rstest]
fn an_id_of_a_case(#[values(1, 2)] n: u8, mut api: PortGuard) {
    assert_eq!(api.id(), Some(&*format!("frameworks/shard-{n}")));
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
    assert!(api.id().unwrap().starts_with(&id), "{:?}", api.id());
    converse(&api.take_listener().unwrap(), "timeout");
}

#[port_for("frameworks/shared")]
#[rstest]
#[case("async")]
#[tokio::test]
async fn asynchronous(#[case] words: &'static str, #[future] slow: u8, mut api: PortGuard) {
    assert_eq!(slow.await, 1);
    converse_async_on(api.take_listener().unwrap(), words).await;
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
    converse_async_on(api, "after").await;
}

#[port_for("frameworks/twice", timeout = "50ms")]
#[rstest]
#[tokio::test]
#[should_panic(expected = "this thread or task took it itself")]
async fn a_wait_for_the_tests_own_fixture_is_told_in_the_end(
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
