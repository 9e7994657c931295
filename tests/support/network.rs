//! A network of the tests' own, for programs whose tests vacate ports.
//!
//! A stranger that names the number of a vacated port and sets `SO_REUSEADDR` can take it, which is not promised away. So as
//! root, who may, such a test program leaves the network of the machine and its strangers before `main`. The processes that it
//! starts are in the same one.

#![allow(unsafe_code)] // A function runs before `main`, while there is one thread.
#![allow(
    clippy::disallowed_methods,
    reason = "children are told by environment"
)]

use std::io;

const DONE: &str = "TEST_NETWORK";

ctor::declarative::ctor! {
    // SAFETY: system calls, and a look at the environment, which no other thread changes.
    #[ctor(unsafe)]
    fn leave() {
        if std::env::var_os(DONE).is_none() && unshare().is_ok() {
            set_up_loopback().unwrap();
            // SAFETY: as above.
            unsafe { std::env::set_var(DONE, "own") };
        }
    }
}

fn unshare() -> io::Result<()> {
    // SAFETY: the call moves this thread, the only one.
    succeeded(unsafe { libc::unshare(libc::CLONE_NEWNET) })
}

fn set_up_loopback() -> io::Result<()> {
    // SAFETY: the request is plain data, whose name ends with zero; the socket is closed below.
    unsafe {
        let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        succeeded(socket)?;
        let mut request: libc::ifreq = std::mem::zeroed();
        c"lo".as_ptr().copy_to(request.ifr_name.as_mut_ptr(), 3);
        request.ifr_ifru.ifru_flags = libc::c_short::try_from(libc::IFF_UP).unwrap();
        let set = succeeded(libc::ioctl(socket, libc::SIOCSIFFLAGS, &raw const request));
        libc::close(socket);
        set
    }
}

fn succeeded(result: libc::c_int) -> io::Result<()> {
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
