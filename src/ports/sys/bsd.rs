//! macOS and FreeBSD, which `sysctl` asks.

use super::super::PortSet;
use super::super::numbers::{first_and_last, output};

#[cfg(target_vendor = "apple")]
const SYSCTL: &str = "/usr/sbin/sysctl";
#[cfg(not(target_vendor = "apple"))]
const SYSCTL: &str = "/sbin/sysctl";

pub(in crate::ports) fn ephemeral() -> Option<PortSet> {
    let names =
        ["first", "last", "hifirst", "hilast"].map(|end| format!("net.inet.ip.portrange.{end}"));
    Some(first_and_last(&output(
        SYSCTL,
        ["-n".to_owned()].into_iter().chain(names),
    )?))
}

pub(in crate::ports) fn reserved() -> Option<PortSet> {
    None
}
