//! What several test binaries need: stores of their own, an HTTP server, this program run again as a child, servers that
//! are installed.

#![allow(
    unused,
    unreachable_pub,
    reason = "no test binary uses all of it; this is the one place that says so"
)]

pub mod child;
pub mod http;
pub mod installed;
#[cfg(unix)]
pub mod privileges;
pub mod store;
pub mod wait;
pub mod wine;

#[cfg(unix)]
pub use child::in_shell;
pub use child::{ChildTest, command, report, told, wait_for_parent};
pub use http::{HttpServer, get, try_get};
pub use store::TempStore;
pub use wait::{PATIENCE, eventually};
