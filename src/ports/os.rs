//! What the operating system says about its ports.
//!
//! It is asked anew each time, because the answers can change while a program runs. Only Windows is asked
//! once, because each answer costs a process there; ports that it excludes later cannot be bound, and so
//! are not chosen either.

use super::{PortSet, sys};

/// IANA's dynamic ports, for systems that do not say which ones they use.
const FALLBACK: (u16, u16) = (49152, 65535);

pub(super) fn ephemeral() -> PortSet {
    sys::ephemeral()
        .filter(|ports| !ports.is_empty())
        .unwrap_or_else(|| PortSet::from_runs(vec![FALLBACK]))
}

pub(super) fn reserved() -> PortSet {
    sys::reserved().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_system_has_ephemeral_ports() {
        assert!(!ephemeral().is_empty());
    }
}
