//! Ports handed to real servers.

#![allow(
    clippy::disallowed_methods,
    reason = "tests talk to their children by environment"
)]
#![allow(missing_docs, unreachable_pub)]

#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "another test binary uses the rest")]
mod support;

// Sockets that are passed on by number.
#[cfg(unix)]
mod activation;
#[cfg(unix)]
mod attribute;
mod children;
mod ends;
// Signals, process groups and forks.
#[cfg(unix)]
mod exit;
mod faults;
mod hosts;
#[cfg(unix)]
mod inherited;
mod output;
#[cfg_attr(
    not(unix),
    allow(dead_code, reason = "those who start servers of others are Unix's")
)]
mod programs;
// Servers that are installed.
#[cfg(target_os = "linux")]
mod orphans;
// Servers that are installed.
#[cfg(target_os = "linux")]
mod real;
#[cfg(unix)]
mod recipes;
#[cfg(unix)]
mod redis;
#[cfg(target_os = "linux")]
mod rival;
mod spawning;
mod udp;
#[cfg(unix)]
mod web;
