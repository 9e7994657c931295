//! What an id may be, and the key it has in the store.

use crate::error::{Cause, Error};

/// The most bytes an id may have.
pub(crate) const MAX_ID: usize = 255;
/// The most bytes a namespace may have: room for the longest path of a checkout.
pub(crate) const MAX_NAMESPACE: usize = 4096;

/// The rule that `id` breaks, if it breaks one.
pub(crate) fn broken_rule(id: &str, max: usize) -> Option<&'static str> {
    if id.is_empty() {
        Some("it is empty; give the port a name, such as \"api\"")
    } else if id.len() > max && max == MAX_ID {
        Some("it has more than 255 bytes; shorten it")
    } else if id.len() > max {
        Some("it has too many bytes; shorten it")
    } else if id.starts_with('-') {
        Some("it starts with `-`, as only a command's options do; begin with another character")
    } else if id.chars().any(char::is_control) {
        Some("it contains a control character; remove it")
    } else {
        None
    }
}

/// The key of `id` in the store: `id` itself, or `namespace#id`.
///
/// # Errors
///
/// [`InvalidId`](crate::ErrorKind::InvalidId) when `id` breaks the rule of ids.
pub(crate) fn key(namespace: Option<&str>, id: &str) -> Result<String, Error> {
    if let Some(rule) = broken_rule(id, MAX_ID) {
        let id = id.to_owned();
        return Err(Cause::InvalidId { id, rule }.into());
    }
    Ok(match namespace {
        Some(namespace) => format!("{namespace}#{id}"),
        None => id.to_owned(),
    })
}
