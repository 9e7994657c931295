//! A child that has this process's memory until it runs another program, as `vfork` and `posix_spawn` make it: nothing is
//! copied, however large this process is, and however many threads start something at the same time.
//!
//! Only on Linux, which says what such a child shares ([clone](https://man7.org/linux/man-pages/man2/clone.2.html)).

#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr;

use rustix::process::Pid;

/// What a child runs on. The calling thread's own stack is in use.
#[derive(Debug)]
pub(super) struct Stack(Vec<MaybeUninit<u128>>);

impl Stack {
    /// Far more than a few system calls take, even in a debug build.
    const BYTES: usize = 64 << 10;

    pub(super) fn new() -> Self {
        let mut stack = Vec::with_capacity(Self::BYTES / size_of::<u128>());
        // SAFETY: there is room for as many, and what may be uninitialized needs no value.
        unsafe { stack.set_len(stack.capacity()) };
        Self(stack)
    }

    /// It grows downwards.
    fn top(&mut self) -> *mut c_void {
        self.0.as_mut_ptr_range().end.cast()
    }
}

/// Runs `child` in a process of its own, which ends with the status that it returns. The calling thread waits until that
/// process has ended, or runs another program. Allocates nothing.
///
/// # Safety
///
/// The child makes system calls only, and no signal makes it run a handler: see [`signals`](super::signals).
pub(super) unsafe fn vfork(stack: &mut Stack, child: &mut dyn FnMut() -> c_int) -> io::Result<Pid> {
    // SAFETY: as the caller says.
    unsafe { clone(stack, child, 0, ptr::null_mut()) }
}

/// As [`vfork`], with a handle, which is the child's even when its number is another process's.
///
/// # Safety
///
/// As for [`vfork`].
pub(super) unsafe fn vfork_with_handle(
    stack: &mut Stack,
    child: &mut dyn FnMut() -> c_int,
) -> io::Result<(Pid, OwnedFd)> {
    let mut handle = -1;
    // SAFETY: as the caller says. The system writes an open descriptor there, which is ours alone.
    unsafe {
        let pid = clone(stack, child, libc::CLONE_PIDFD, &raw mut handle)?;
        Ok((pid, OwnedFd::from_raw_fd(handle)))
    }
}

/// # Safety
///
/// As for [`vfork`]. The system writes to `handle` if the flags say so.
unsafe fn clone(
    stack: &mut Stack,
    mut child: &mut dyn FnMut() -> c_int,
    flags: c_int,
    handle: *mut c_int,
) -> io::Result<Pid> {
    extern "C" fn run(child: *mut c_void) -> c_int {
        // SAFETY: it is the reference below, and the thread that has it waits.
        let child = unsafe { &mut *child.cast::<&mut dyn FnMut() -> c_int>() };
        child()
    }
    let flags = flags | libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    let child = (&raw mut child).cast();
    // SAFETY: the stack and the reference are the child's alone until this thread goes on.
    let pid = unsafe { libc::clone(run, stack.top(), flags, child, handle) };
    // -1, when no child could be made.
    Pid::from_raw(pid.max(0)).ok_or_else(io::Error::last_os_error)
}
