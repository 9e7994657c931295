//! Ports that belong together: how many there are, and how far apart.

use std::borrow::Cow;

/// A block of consecutive ports, and for each of them its companions. One port alone is a block of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) block: u16,
    /// How far above each port of the block they are.
    pub(crate) companions: Vec<u16>,
}

impl Default for Group {
    fn default() -> Self {
        Self {
            block: 1,
            companions: Vec::new(),
        }
    }
}

/// The most ports that a block may have: each takes an open lease and a socket.
pub(crate) const MAX_BLOCK: u16 = 1000;

impl Group {
    /// Whether it is one port alone.
    pub(crate) fn is_single(&self) -> bool {
        self.block == 1 && self.companions.is_empty()
    }

    /// How far above the first port of the block each port is, from 0 on.
    pub(crate) fn offsets(&self) -> Vec<u16> {
        let ports = 0..self.block;
        let companions = (self.companions.iter())
            .flat_map(|offset| ports.clone().map(|nth| nth.saturating_add(*offset)));
        let mut offsets: Vec<_> = ports.clone().chain(companions).collect();
        offsets.sort_unstable();
        offsets
    }

    /// Why there cannot be such a group, if so.
    pub(crate) fn fault(&self) -> Option<String> {
        let Self { block, companions } = self;
        if !(1..=MAX_BLOCK).contains(block) {
            return Some(format!(
                "a block has from 1 to {MAX_BLOCK} ports, and this one has {block}"
            ));
        }
        for (nth, &offset) in companions.iter().enumerate() {
            let fault = |what| Some(format!("the companion {offset} {what}"));
            if offset < *block {
                return fault(format!(
                    "is within the block, which has {block} {}; companions begin at {block}",
                    if *block == 1 { "port" } else { "ports" }
                ));
            }
            if offset > u16::MAX - block {
                return fault("leads above port 65535".to_owned());
            }
            for &other in &companions[..nth] {
                if other == offset {
                    return fault("is there twice".to_owned());
                }
                if other.abs_diff(offset) < *block {
                    return fault(format!(
                        "would be a companion by {other} as well: with a block of {block}, companions are at least {block} \
                         apart"
                    ));
                }
            }
        }
        None
    }
}

/// `a block of 6 ports with companions 10000 above`.
impl std::fmt::Display for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.block {
            1 => f.write_str("one port")?,
            block => write!(f, "a block of {block} ports")?,
        }
        if !self.companions.is_empty() {
            let companions: Vec<_> = self.companions.iter().map(u16::to_string).collect();
            write!(f, " with companions {} above", companions.join(" and "))?;
        }
        Ok(())
    }
}

/// What the port so far above the one of `name` is called: `cluster+1`.
pub(crate) fn member(name: &str, offset: u16) -> Cow<'_, str> {
    if offset == 0 {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(format!("{name}+{offset}"))
    }
}

/// The name and offset that a [member](member)'s name is made of, if it can be one.
pub(crate) fn split(name: &str) -> Option<(&str, u16)> {
    let (name, digits) = name.rsplit_once('+')?;
    Some((name, offset(digits)?))
}

/// The offset behind a member's `+`, as it is written there.
pub(crate) fn offset(digits: &str) -> Option<u16> {
    let is_plain = !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(block: u16, companions: &[u16]) -> Group {
        let companions = companions.to_vec();
        Group { block, companions }
    }

    #[test]
    fn offsets_are_those_of_the_block_and_of_each_ports_companions() {
        assert_eq!(Group::default().offsets(), [0]);
        assert_eq!(group(3, &[]).offsets(), [0, 1, 2]);
        assert_eq!(group(2, &[20, 10]).offsets(), [0, 1, 10, 11, 20, 21]);
    }

    #[test]
    fn what_cannot_be_is_named_with_its_reason() {
        for (block, companions, reason) in [
            (0, &[][..], "from 1 to 1000"),
            (1001, &[], "from 1 to 1000"),
            (1, &[0], "the companion 0 is within the block"),
            (6, &[10_000, 5], "the companion 5 is within the block"),
            (1, &[7, 7], "the companion 7 is there twice"),
            (3, &[10, 12], "the companion 12 would be a companion by 10"),
            (2, &[65_534], "the companion 65534 leads above port 65535"),
        ] {
            let fault = group(block, companions).fault().unwrap();
            assert!(fault.contains(reason), "{fault}");
        }
        for (block, companions) in [(1, &[][..]), (1000, &[1000]), (3, &[10, 13]), (1, &[1, 2])] {
            assert_eq!(group(block, companions).fault(), None);
        }
    }

    #[test]
    fn a_members_name_is_read_as_it_was_made() {
        assert_eq!(member("api", 0), "api");
        assert_eq!(split(&member("a+b", 10_000)), Some(("a+b", 10_000)));
        for name in [
            "api",
            "api+",
            "api+01",
            "api+-1",
            "api+x",
            "api+70000",
            "api+0",
        ] {
            assert_eq!(split(name), None, "{name}");
        }
    }
}
