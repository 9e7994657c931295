//! What users rely on, through the public face. Each file is named after the part of `src` that it tries; `README.md`
//! above this folder says where a new test goes.

#![allow(
    clippy::disallowed_methods,
    reason = "tests talk to their children by environment"
)]
#![allow(missing_docs, unreachable_pub)]

#[path = "../support/mod.rs"]
mod support;

mod acquire;
mod attribute;
mod config;
mod corpus;
mod face;
#[cfg(unix)]
mod files;
mod guard;
mod id;
#[cfg(unix)]
mod lease;
#[cfg(target_os = "linux")]
mod model;
mod nextest;
mod ports;
mod readme;
mod store;
