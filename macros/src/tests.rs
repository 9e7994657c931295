//! Expansions, as text. After a wanted change, `UPDATE_EXPECT=1 cargo test -p port-for-macros` writes them anew.

// `UPDATE_EXPECT` counts them so.
#![allow(clippy::needless_raw_string_hashes)]

use crate::expand::port_for;
use expect_test::{Expect, expect};
use proc_macro2::TokenStream;
use std::fs;
use std::path::Path;

#[path = "../../tests/fuzz/checks/attribute.rs"]
mod attribute;

#[track_caller]
fn expansion(args: &str, item: &str) -> String {
    let tokens = |text: &str| text.parse::<TokenStream>().unwrap();
    let file = syn::parse2(port_for(tokens(args), tokens(item))).unwrap();
    prettyplease::unparse(&file)
}

#[track_caller]
fn check(args: &str, item: &str, expected: &Expect) {
    expected.assert_eq(&expansion(args, item));
}

#[test]
fn one_id() {
    check(
        r#""api""#,
        "fn serves(mut api: PortGuard) { connect(api.addr()) }",
        &expect![[r##"
            #[::core::prelude::v1::test]
            fn serves() {
                match ::port_for::__private::guards([::port_for::__private::Wanted::new("api")]) {
                    [mut port_for_slot_0] => {
                        match (::port_for::__private::param::<PortGuard>(&mut port_for_slot_0),) {
                            (mut api,) => connect(api.addr()),
                        }
                    }
                }
            }
        "##]],
    );
}

#[test]
fn several_ids_are_asked_for_in_one_call() {
    check(
        r#""api", "admin", timeout = "5s""#,
        "fn serves(api: &mut PortGuard, _: std::net::TcpListener) -> Result<(), Error> { Ok(()) }",
        &expect![[r##"
            #[::core::prelude::v1::test]
            fn serves() -> Result<(), Error> {
                match ::port_for::__private::guards([
                    ::port_for::__private::Wanted::new("api").timeout_millis(5000u64),
                    ::port_for::__private::Wanted::new("admin").timeout_millis(5000u64),
                ]) {
                    [mut port_for_slot_0, mut port_for_slot_1] => {
                        match (
                            ::port_for::__private::param::<&mut PortGuard>(&mut port_for_slot_0),
                            ::port_for::__private::param::<
                                std::net::TcpListener,
                            >(&mut port_for_slot_1),
                        ) {
                            (api, _port_for_unnamed_1) => Ok(()),
                        }
                    }
                }
            }
        "##]],
    );
}

#[test]
fn without_ids_their_names_come_from_the_parameters() {
    check(
        "",
        "fn serves(r#type: PortGuard, _: u16) {}",
        &expect![[r##"
            #[::core::prelude::v1::test]
            fn serves() {
                match ::port_for::__private::guards([
                    ::port_for::__private::Wanted::without_id(
                        &::port_for::__private::auto_id(
                            ::core::option_env!("CARGO_PKG_NAME"),
                            ::core::module_path!(),
                            "serves",
                            "type",
                        ),
                    ),
                    ::port_for::__private::Wanted::without_id(
                        &::port_for::__private::auto_id(
                            ::core::option_env!("CARGO_PKG_NAME"),
                            ::core::module_path!(),
                            "serves",
                            "_1",
                        ),
                    ),
                ]) {
                    [mut port_for_slot_0, mut port_for_slot_1] => {
                        match (
                            ::port_for::__private::param::<PortGuard>(&mut port_for_slot_0),
                            ::port_for::__private::param::<u16>(&mut port_for_slot_1),
                        ) {
                            (r#type, _port_for_unnamed_1) => {}
                        }
                    }
                }
            }
        "##]],
    );
}

#[test]
fn every_option() {
    check(
        r#""api", default = 0x1F90, ports = "20000-20999,21500", host = "::1",
           timeout = "500ms", on_busy = "move", udp, crate = my::ports"#,
        "fn serves(api: PortGuard) {}",
        &expect![[r##"
            #[::core::prelude::v1::test]
            fn serves() {
                match my::ports::__private::guards([
                    my::ports::__private::Wanted::new("api")
                        .default_port(8080)
                        .ports("20000-20999,21500")
                        .host("::1")
                        .timeout_millis(500u64)
                        .on_busy(my::ports::__private::OnBusy::Move)
                        .udp(),
                ]) {
                    [mut port_for_slot_0] => {
                        match (my::ports::__private::param::<PortGuard>(&mut port_for_slot_0),) {
                            (api,) => {}
                        }
                    }
                }
            }
        "##]],
    );
}

#[test]
fn a_parameters_options_go_before_the_functions() {
    check(
        r#"default = 8080, timeout = "2m", on_busy = "fail""#,
        r#"fn serves(
            #[port("db", exact = 5432, on_busy = "wait")] db: PortGuard,
            api: PortGuard,
        ) {}"#,
        &expect![[r##"
            #[::core::prelude::v1::test]
            fn serves() {
                match ::port_for::__private::guards([
                    ::port_for::__private::Wanted::new("db")
                        .exact_port(5432)
                        .timeout_millis(120000u64)
                        .on_busy(::port_for::__private::OnBusy::Wait),
                    ::port_for::__private::Wanted::without_id(
                            &::port_for::__private::auto_id(
                                ::core::option_env!("CARGO_PKG_NAME"),
                                ::core::module_path!(),
                                "serves",
                                "api",
                            ),
                        )
                        .default_port(8080)
                        .timeout_millis(120000u64)
                        .on_busy(::port_for::__private::OnBusy::Fail),
                ]) {
                    [mut port_for_slot_0, mut port_for_slot_1] => {
                        match (
                            ::port_for::__private::param::<PortGuard>(&mut port_for_slot_0),
                            ::port_for::__private::param::<PortGuard>(&mut port_for_slot_1),
                        ) {
                            (db, api) => {}
                        }
                    }
                }
            }
        "##]],
    );
}

#[test]
fn attributes_docs_and_other_parameters_stay_as_they_are() {
    check(
        r#"id = format!("shard-{n}")"#,
        r#"
            /// Serves.
            #[rstest]
            #[case::small(1)]
            // A comment.
            #[case::large(100)]
            #[cfg(unix)]
            #[trace]
            /// Well.
            pub(crate) fn serves<T: Into<u64>>(
                #[case] n: T,
                api: PortGuard,
                #[values("a", "b")] (mut name, _): Pair<'_>,
                #[with(3)] db: &Database,
            ) -> impl Termination
            where
                T: Copy,
            {
                #![allow(unused)]
                let n = n.into();
                n
            }
        "#,
        &expect![[r#"
            /// Serves.
            #[rstest]
            #[case::small(1)]
            #[case::large(100)]
            #[cfg(unix)]
            #[trace]
            /// Well.
            pub(crate) fn serves<T: Into<u64>>(
                #[case]
                n: T,
                #[values("a", "b")]
                (mut name, _): Pair<'_>,
                #[with(3)]
                db: &Database,
            ) -> impl Termination
            where
                T: Copy,
            {
                #![allow(unused)]
                match ::port_for::__private::guards([
                    ::port_for::__private::Wanted::new(&(format!("shard-{n}"))),
                ]) {
                    [mut port_for_slot_0] => {
                        match (::port_for::__private::param::<PortGuard>(&mut port_for_slot_0),) {
                            (api,) => {
                                let n = n.into();
                                n
                            }
                        }
                    }
                }
            }
        "#]],
    );
}

#[test]
fn an_async_function_awaits_its_guards() {
    check(
        r#""api""#,
        "#[tokio::test(flavor = \"multi_thread\")] async fn serves(api: PortGuard) { api.await }",
        &expect![[r##"
            #[tokio::test(flavor = "multi_thread")]
            async fn serves() {
                match ::port_for::__private::acquired(
                    ::port_for::__private::guards_async([::port_for::__private::Wanted::new("api")])
                        .await,
                ) {
                    [mut port_for_slot_0] => {
                        match (::port_for::__private::param::<PortGuard>(&mut port_for_slot_0),) {
                            (api,) => api.await,
                        }
                    }
                }
            }
        "##]],
    );
}

#[test]
fn test_is_added_only_where_no_test_attribute_is() {
    let added = |attributes: &str| {
        let expansion = expansion(
            r#""api""#,
            &format!("{attributes} fn serves(api: PortGuard) {{}}"),
        );
        expansion.contains("#[::core::prelude::v1::test]")
    };
    for attributes in [
        "",
        "#[ignore]",
        "#[should_panic(expected = \"test\")]",
        "#[cfg(test)]",
        "#[cfg_attr(test, allow(unused))]",
        "#[serial_test::serial]",
        "#[test_attributes]",
    ] {
        assert!(added(attributes), "{attributes}");
    }
    for attributes in [
        "#[test]",
        "#[core::prelude::v1::test]",
        "#[ignore] #[tokio::test]",
        "#[tokio::test(start_paused = true)]",
        "#[test_log::test]",
        "#[test_log::test(tokio::test)]",
        "#[sqlx::test]",
        "#[rstest]",
        "#[rstest::rstest]",
        "#[test_case(1; \"one\")]",
        "#[test_case::test_matrix([1, 2])]",
        "#[wasm_bindgen_test]",
        "#[apply(template)]",
        "#[cfg_attr(unix, tokio::test)]",
    ] {
        assert!(!added(attributes), "{attributes}");
    }
}

#[test]
fn where_another_attribute_may_fill_parameters_only_guards_are_taken() {
    check(
        "",
        "#[rstest] fn serves(settings: Settings, api: &port_for::PortGuard, port: u16) {}",
        &expect![[r##"
            #[rstest]
            fn serves(settings: Settings, port: u16) {
                match ::port_for::__private::guards([
                    ::port_for::__private::Wanted::without_id(
                        &::port_for::__private::auto_id(
                            ::core::option_env!("CARGO_PKG_NAME"),
                            ::core::module_path!(),
                            "serves",
                            "api",
                        ),
                    ),
                ]) {
                    [mut port_for_slot_0] => {
                        match (
                            ::port_for::__private::param::<
                                &port_for::PortGuard,
                            >(&mut port_for_slot_0),
                        ) {
                            (api,) => {}
                        }
                    }
                }
            }
        "##]],
    );
    check(
        r#""api""#,
        "#[rstest] fn serves(settings: Settings, api: PortGuard) {}",
        &expect![[r##"
            #[rstest]
            fn serves(settings: Settings) {
                match ::port_for::__private::guards([::port_for::__private::Wanted::new("api")]) {
                    [mut port_for_slot_0] => {
                        match (::port_for::__private::param::<PortGuard>(&mut port_for_slot_0),) {
                            (api,) => {}
                        }
                    }
                }
            }
        "##]],
    );
}

#[test]
fn otherwise_every_parameter_is_taken() {
    check(
        "",
        "#[tokio::test] async fn serves(listener: TcpListener, port: u16) {}",
        &expect![[r##"
            #[tokio::test]
            async fn serves() {
                match ::port_for::__private::acquired(
                    ::port_for::__private::guards_async([
                            ::port_for::__private::Wanted::without_id(
                                &::port_for::__private::auto_id(
                                    ::core::option_env!("CARGO_PKG_NAME"),
                                    ::core::module_path!(),
                                    "serves",
                                    "listener",
                                ),
                            ),
                            ::port_for::__private::Wanted::without_id(
                                &::port_for::__private::auto_id(
                                    ::core::option_env!("CARGO_PKG_NAME"),
                                    ::core::module_path!(),
                                    "serves",
                                    "port",
                                ),
                            ),
                        ])
                        .await,
                ) {
                    [mut port_for_slot_0, mut port_for_slot_1] => {
                        match (
                            ::port_for::__private::param::<TcpListener>(&mut port_for_slot_0),
                            ::port_for::__private::param::<u16>(&mut port_for_slot_1),
                        ) {
                            (listener, port) => {}
                        }
                    }
                }
            }
        "##]],
    );
}

#[test]
fn nothing_unsafe_and_no_relative_path_comes_from_the_expansion() {
    let expansion = expansion("", "fn serves(api: PortGuard) {}");
    assert!(!expansion.contains("unsafe"));
    for (at, _) in expansion.match_indices("port_for::") {
        assert_eq!(&expansion[at - 2..at], "::");
    }
}

#[test]
fn a_mistake_leaves_the_function_and_its_documentation() {
    check(
        r#""-api""#,
        "/// Serves. \n #[should_panic] #[tokio::test] async fn serves(#[case] n: u8, api: PortGuard) { api.await }",
        &expect![[r#"
            ::core::compile_error! {
                "an id must not start with `-`"
            }
            /// Serves.
            async fn serves(n: u8, api: PortGuard) {
                api.await
            }
        "#]],
    );
}

#[test]
fn whatever_the_arguments_are_the_function_stays() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/corpus/attribute");
    let mut count = 0;
    for entry in fs::read_dir(corpus).unwrap() {
        attribute::check(&fs::read_to_string(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 10, "the corpus is there");
}
