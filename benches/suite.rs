//! Two hundred tests, each a server and a client, three times: with a port of their own each, with any port, and one
//! after the other on one port. `figures` runs one of the three at a time.

#![allow(missing_docs)]
#![allow(
    clippy::disallowed_methods,
    reason = "the one port comes by environment"
)]

use std::net::{Ipv4Addr, TcpListener};

#[path = "../tests/support/mod.rs"]
mod support;

/// What the tests have in common: an HTTP server, and a client that asks it.
fn serve(listener: TcpListener) {
    let server = support::HttpServer::on(listener, "hello");
    assert_eq!(server.get(), "hello");
}

/// Two hundred of the test.
macro_rules! two_hundred {
    (@modules [$($module:ident)*] $test:tt) => {
        $(mod $module {
            use super::super::*;
            two_hundred!(@tests [a b c d e f g h i j k l m n o p q r s t] $test);
        })*
    };
    (@tests [$($name:ident)*] $test:tt) => {
        $(two_hundred!(@test $name $test);)*
    };
    (@test $name:ident { $(#[$attribute:meta])* fn test($($parameter:tt)*) $body:tt }) => {
        $(#[$attribute])*
        fn $name($($parameter)*) $body
    };
    ($name:ident: $($test:tt)*) => {
        mod $name {
            two_hundred!(@modules [a b c d e f g h i j] { $($test)* });
        }
    };
}

two_hundred! { own_port:
    #[port_for::port_for]
    fn test(mut port: port_for::PortGuard) {
        serve(port.take_listener().unwrap());
    }
}

two_hundred! { any_port:
    #[test]
    fn test() {
        serve(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    }
}

two_hundred! { one_port:
    #[test]
    #[serial_test::file_serial]
    fn test() {
        let port = std::env::var("SUITE_PORT").map_or(0, |port| port.parse().unwrap());
        serve(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap());
    }
}
