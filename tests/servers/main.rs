//! Ports handed to real servers.

#![allow(
    clippy::disallowed_methods,
    reason = "tests talk to their children by environment"
)]
#![allow(missing_docs, unreachable_pub)]

#[cfg(target_os = "linux")]
#[path = "../support/network.rs"]
mod network;
#[path = "../support/mod.rs"]
mod support;

// Sockets that are passed on by number.
#[cfg(unix)]
mod activation;
#[cfg(unix)]
mod attribute;
mod children;
#[cfg(unix)]
mod cluster;
#[cfg(unix)]
mod controls;
mod ends;
// Signals, process groups and forks.
#[cfg(unix)]
mod exit;
mod faults;
mod hosts;
#[cfg(unix)]
mod inherited;
mod output;
// Servers that are installed, and how they are run.
#[cfg(unix)]
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
// Signals and `/proc`.
#[cfg(target_os = "linux")]
mod surroundings;
#[cfg(target_os = "linux")]
mod temp;
mod udp;
#[cfg(unix)]
mod web;
