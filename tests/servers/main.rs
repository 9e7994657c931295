//! Ports handed to real servers.

#![allow(
    clippy::disallowed_methods,
    reason = "tests talk to their children by environment"
)]
#![allow(missing_docs, unreachable_pub)]
#![cfg(unix)]

#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "another test binary uses the rest")]
mod support;

mod activation;
mod children;
mod exit;
mod faults;
mod hosts;
mod inherited;
mod output;
mod programs;
mod redis;
#[cfg(target_os = "linux")]
mod rival;
mod spawning;
mod udp;
mod web;
