//! Linux, which tells in `/proc`.

use super::super::PortSet;
use super::super::numbers::{first_and_last, list};
use crate::proc;

pub(in crate::ports) fn ephemeral() -> Option<PortSet> {
    Some(first_and_last(&proc::ephemeral_ports()?))
}

pub(in crate::ports) fn reserved() -> Option<PortSet> {
    Some(list(&proc::reserved_ports()?))
}
