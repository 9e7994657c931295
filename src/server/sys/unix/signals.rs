//! Which signals get through: none to a guardian, and all to a server, whatever its test does with them.
//!
//! A server can have descendants before its guardian runs the guardian's program. A signal that ended the guardian then
//! would leave them without a parent.

#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::ptr;

/// Keeps all signals from the calling thread, and from children that it makes. Returns those that were kept from it before.
pub(super) fn block_all() -> libc::sigset_t {
    // SAFETY: the sets are made by the calls before they are read.
    unsafe {
        let (mut all, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
        before.assume_init()
    }
}

/// In a child that is to be a server: lets all signals through.
pub(super) fn unblock_all() {
    // SAFETY: the set is made by the call before it is read.
    unsafe {
        let mut none = MaybeUninit::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut());
    }
}

/// Keeps all signals from the calling thread, until it is dropped.
#[cfg(target_os = "linux")]
pub(super) struct Blocked(libc::sigset_t);

#[cfg(target_os = "linux")]
impl Blocked {
    pub(super) fn new() -> Self {
        Self(block_all())
    }
}

#[cfg(target_os = "linux")]
impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: it is what the system has told.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, ptr::null_mut()) };
    }
}

/// In a child: sets each signal that has a handler to its default. What is ignored stays ignored.
#[cfg(target_os = "linux")]
pub(super) fn forget_handlers() {
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: an action is plain data, for which zeros will do. The child does not share its actions.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            let is_known = libc::sigaction(signal, ptr::null(), &raw mut action) == 0;
            if is_known && ![libc::SIG_DFL, libc::SIG_IGN].contains(&action.sa_sigaction) {
                libc::signal(signal, libc::SIG_DFL);
            }
        }
    }
}
