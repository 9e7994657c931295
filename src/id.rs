//! What an id may be, and the number it is turned into.

use std::ops::RangeInclusive;

/// The most bytes an id may have.
pub(crate) const MAX_ID: usize = 255;
/// The most bytes a namespace may have: room for the longest path of a checkout.
pub(crate) const MAX_NAMESPACE: usize = 4096;

/// Characters that are not seen, or change the direction of what is: with them, two ids can look the same. The soft hyphen,
/// zero-width ones, marks and embeddings of directions, invisible operators, isolates, and the byte order mark.
const UNSEEN: [RangeInclusive<char>; 6] = [
    '\u{ad}'..='\u{ad}',
    '\u{200b}'..='\u{200f}',
    '\u{202a}'..='\u{202e}',
    '\u{2060}'..='\u{2064}',
    '\u{2066}'..='\u{206f}',
    '\u{feff}'..='\u{feff}',
];

/// The rule that a new id breaks, if it breaks one.
pub(crate) fn broken_rule_of_new(id: &str) -> Option<&'static str> {
    broken_rule(id, MAX_ID).or_else(|| {
        if id.trim() != id {
            Some("it begins or ends with white space; remove it")
        } else if id.chars().any(|c| UNSEEN.iter().any(|unseen| unseen.contains(&c))) {
            Some("it contains a character that is not seen, or turns the direction of text; remove it")
        } else {
            None
        }
    })
}

/// The rule that `id` breaks, if it breaks one of those that hold for every store, whenever it was written.
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

/// 64-bit FNV-1a. It must never change: the ports that it leads to are in people's stores.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
