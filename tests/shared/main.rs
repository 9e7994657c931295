//! Shared servers: one for many users, in many processes.

#![cfg(unix)]
#![allow(
    clippy::disallowed_methods,
    reason = "tests talk to their children by environment"
)]
#![allow(missing_docs, unreachable_pub)]

#[path = "../support/mod.rs"]
mod support;

mod attribute;
mod bad_input;
mod failing;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod hanging;
mod killed;
mod life;
mod once;
mod recipe;
mod server;
