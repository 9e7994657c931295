//! Processes and their kin.

/// A process and its kin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) parent: u32,
    pub(crate) group: u32,
    /// It has ended, and its parent has not yet asked for its status.
    pub(crate) dead: bool,
}
