//! Windows, which `netsh` asks.

use once_cell::sync::Lazy;

use super::super::PortSet;
use super::super::numbers::{first_and_count, first_and_last, output};

pub(in crate::ports) fn ephemeral() -> Option<PortSet> {
    static EPHEMERAL: Lazy<Option<PortSet>> = Lazy::new(|| {
        let range = ["int", "ipv4", "show", "dynamicport", "tcp"];
        first_and_count(&output("netsh", range)?)
    });
    EPHEMERAL.clone()
}

pub(in crate::ports) fn reserved() -> Option<PortSet> {
    static RESERVED: Lazy<Option<PortSet>> = Lazy::new(|| {
        let ranges = ["int", "ipv4", "show", "excludedportrange", "protocol=tcp"];
        Some(first_and_last(&output("netsh", ranges)?))
    });
    RESERVED.clone()
}
