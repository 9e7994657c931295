//! What users rely on, through the public face.

#![allow(
    clippy::disallowed_methods,
    reason = "tests talk to their children by environment"
)]
#![allow(missing_docs, unreachable_pub)]

#[path = "../support/mod.rs"]
mod support;

mod assigning;
mod busy;
mod corpus;
mod environment;
#[cfg(unix)]
mod files;
mod guards;
mod ids;
#[cfg(target_os = "linux")]
mod model;
mod race;
mod replacing;
mod rival;
mod store_text;
#[cfg(feature = "tokio")]
mod tasks;
mod tidy;
