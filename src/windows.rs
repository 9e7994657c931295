//! What only Windows has: the one door to `windows-sys`.

#[cfg(feature = "cli")]
pub(crate) mod console;
pub(crate) mod exclusive;
pub(crate) mod files;
pub(crate) mod job;
