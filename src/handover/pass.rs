//! A program that takes this process's place, and is given its sockets.

use std::os::fd::OwnedFd;
use std::process::{self, Command};

use command_fds::{CommandFdExt, FdMapping};

use super::protocol::{FD_NAMES, FDS, FIRST_FD, PID};

/// Descriptors for the command, each with its name.
pub(crate) fn pass(sockets: Vec<(String, OwnedFd)>, command: &mut Command) {
    if sockets.is_empty() {
        return;
    }
    let (names, sockets): (Vec<_>, Vec<_>) = sockets.into_iter().unzip();
    let mappings = (FIRST_FD..)
        .zip(sockets)
        .map(|(child_fd, parent_fd)| FdMapping {
            parent_fd,
            child_fd,
        });
    command
        .env(FDS, names.len().to_string())
        .env(PID, process::id().to_string())
        .env(FD_NAMES, names.join(":"))
        .fd_mappings(mappings.collect())
        .expect("each socket has a descriptor of its own");
}
