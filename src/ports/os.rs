//! What the operating system says about its ports.
//!
//! Each question is asked anew: an answer can change while a program runs, and only the choice of a
//! new port asks.

use super::PortSet;

/// IANA's dynamic ports, for systems that do not say which they use.
const FALLBACK: (u16, u16) = (49152, 65535);

pub(super) fn ephemeral() -> PortSet {
    system::ephemeral().unwrap_or_else(|| PortSet::from_runs(vec![FALLBACK]))
}

pub(super) fn reserved() -> PortSet {
    system::reserved().unwrap_or_default()
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use super::{PortSet, text};
    use std::fs::read_to_string;

    pub(super) fn ephemeral() -> Option<PortSet> {
        text::pair(&read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?)
    }

    pub(super) fn reserved() -> Option<PortSet> {
        Some(text::list(
            &read_to_string("/proc/sys/net/ipv4/ip_local_reserved_ports").ok()?,
        ))
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod system {
    use super::PortSet;

    pub(super) fn ephemeral() -> Option<PortSet> {
        None
    }

    pub(super) fn reserved() -> Option<PortSet> {
        None
    }
}

mod text {
    use super::PortSet;

    pub(super) fn pair(text: &str) -> Option<PortSet> {
        let (low, high) = text.trim().split_once(char::is_whitespace)?;
        let (low, high) = (low.parse().ok()?, high.trim().parse().ok()?);
        (low <= high).then(|| PortSet::from(low..=high))
    }

    pub(super) fn list(text: &str) -> PortSet {
        text.parse().unwrap_or_default()
    }
}
