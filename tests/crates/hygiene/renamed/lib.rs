//! A crate that calls `port-for` something else, and re-exports it.

#![cfg(test)]
#![forbid(unsafe_code)]
#![deny(warnings, clippy::pedantic)]

mod deep {
    pub(crate) use harbour as inside;
}

#[harbour::port_for("hygiene/renamed", crate = harbour)]
fn renamed(api: harbour::PortGuard) {
    assert_eq!(api.id(), Some("hygiene/renamed"));
}

#[harbour::port_for(crate = ::harbour)]
fn renamed_with_options_on_the_parameter(
    #[port("hygiene/marked", on_busy = "wait")] api: &harbour::PortGuard,
) {
    assert_eq!(api.id(), Some("hygiene/marked"));
}

#[deep::inside::port_for("hygiene/re-exported", crate = crate::deep::inside)]
fn re_exported(api: harbour::PortGuard) {
    assert_eq!(api.id(), Some("hygiene/re-exported"));
}
