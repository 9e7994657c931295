//! From an id to its port, and back to a port without an id.

mod any_port;
mod assign;
mod busy;
mod forget;
mod groups;
mod race;
mod rival;
mod surviving;
#[cfg(feature = "tokio")]
mod tasks;
#[cfg(unix)]
mod turns;
#[cfg(target_os = "linux")]
mod two_stores;
