//! Systems that do not say.

use super::super::PortSet;

pub(in crate::ports) fn ephemeral() -> Option<PortSet> {
    None
}

pub(in crate::ports) fn reserved() -> Option<PortSet> {
    None
}
