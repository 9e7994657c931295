//! What the processes of a server are held together by.

use std::sync::Arc;

use super::group::Group;
use super::link::{self, Link};

/// What the processes of a server are held together by.
#[derive(Debug, Clone)]
pub(super) enum Tie {
    Guardian(Arc<Link>),
    Group(Group),
}

impl Tie {
    /// At this process's exit.
    pub(super) fn kill(&self) {
        match self {
            Self::Guardian(link) => {
                // The guardian goes on without this process.
                let _ = link.say(link::EXIT, 0);
                let _ = link.kill();
            }
            Self::Group(group) => group.kill(),
        }
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Guardian(link), Self::Guardian(other)) => Arc::ptr_eq(link, other),
            (Self::Group(group), Self::Group(other)) => group == other,
            _ => false,
        }
    }
}
