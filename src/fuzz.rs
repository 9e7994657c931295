//! What the fuzz targets in `tests/fuzz` need beyond the public face. Only there with `--cfg fuzzing`.

use crate::store;

pub use crate::command::{Entry, Fault, parse_python_config};

/// The text of a store as this crate would write it; none if it is not one.
#[must_use]
pub fn rewrite_store(text: &[u8]) -> Option<Vec<u8>> {
    let snapshot = store::parse(text.to_vec()).ok()?;
    Some(store::print(&snapshot))
}
