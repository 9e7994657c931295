//! The keys that end programs.

#![allow(unsafe_code)]

use std::io;

use windows_sys::Win32::System::Console::SetConsoleCtrlHandler;
use windows_sys::core::BOOL;

/// Has Ctrl-C and its like end the child that this process waits for, which gets them as well, and not this process
/// before it.
///
/// # Errors
///
/// What the system says.
pub(crate) fn leave_interrupts_to_the_child() -> io::Result<()> {
    extern "system" fn is_seen_to(_key: u32) -> BOOL {
        1
    }
    // SAFETY: a function that is always there, and touches nothing, whichever thread calls it.
    if unsafe { SetConsoleCtrlHandler(Some(is_seen_to), 1) } == 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
