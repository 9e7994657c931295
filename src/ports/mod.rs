//! Which ports are good to use.

/// A set of ports.
#[derive(Debug)]
pub struct PortSet;
