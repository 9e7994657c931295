//! What an id may be, and the key it has in the store.

use std::borrow::Cow;

use crate::error::{Cause, Error};

/// The most bytes an id may have.
pub(crate) const MAX_ID: usize = 255;
/// The most bytes a namespace may have: room for the longest path of a checkout.
pub(crate) const MAX_NAMESPACE: usize = 4096;

/// The rule that `id` breaks, if it breaks one.
pub(crate) fn broken_rule(id: &str, max: usize) -> Option<&'static str> {
    broken_rule_of_plain(id, max).or_else(|| {
        id.chars()
            .any(char::is_control)
            .then_some("it contains a control character; remove it")
    })
}

/// The rule that `id` breaks, which is known to have no control characters.
pub(crate) fn broken_rule_of_plain(id: &str, max: usize) -> Option<&'static str> {
    if id.is_empty() {
        Some("it is empty; give the port a name, such as \"api\"")
    } else if id.len() > max && max == MAX_ID {
        Some("it has more than 255 bytes; shorten it")
    } else if id.len() > max {
        Some("it has too many bytes; shorten it")
    } else if id.starts_with('-') {
        Some("it starts with `-`, as only a command's options do; begin with another character")
    } else {
        None
    }
}

/// The key of `id` in the store: `id` itself, or `namespace#id`.
///
/// # Errors
///
/// [`InvalidId`](crate::ErrorKind::InvalidId) when `id` breaks the rule of ids.
pub(crate) fn key<'a>(namespace: Option<&str>, id: &'a str) -> Result<Cow<'a, str>, Error> {
    if let Some(rule) = broken_rule(id, MAX_ID) {
        let id = id.to_owned();
        return Err(Cause::InvalidId { id, rule }.into());
    }
    Ok(match namespace {
        Some(namespace) => Cow::Owned(format!("{namespace}#{id}")),
        None => Cow::Borrowed(id),
    })
}
