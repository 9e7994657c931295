//! Two stores that give an id the same port: those of two users, of two agents, of two homes.
//!
//! On Linux their guards keep away from each other, whatever the first one does with the port.

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use port_for::{ErrorKind, PortFor, PortGuard};
use rstest::rstest;

use crate::support::child::test_name;
use crate::support::{ChildTest, TempStore, report, told};

/// The port of the second store's id, which is that of the first one's guard.
fn in_second(guard: &PortGuard) -> (TempStore, String) {
    let second = TempStore::new();
    let id = guard.id().unwrap().to_owned();
    let request = second.request(&id).exact_port(guard.port());
    assert_eq!(request.assign().unwrap(), guard.port());
    (second, id)
}

fn try_guard(store: &PortFor, id: &str) -> Result<PortGuard, port_for::Error> {
    store.request(id).timeout(Duration::ZERO).guard()
}

#[rstest]
#[case::held(|_: &mut PortGuard| ())]
#[case::vacated(|guard: &mut PortGuard| assert_eq!(guard.vacate().unwrap(), guard.addr()))]
fn a_guard_has_its_port_in_every_store(#[case] handoff: fn(&mut PortGuard)) {
    let first = TempStore::new();
    let mut guard = first.guard(&first.api).unwrap();
    let (second, id) = in_second(&guard);
    handoff(&mut guard);
    let error = try_guard(&second, &id).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Occupied);
    let pid = format!("process {}", std::process::id());
    assert!(error.to_string().contains(&pid), "{error}");
    drop(guard);
    drop(try_guard(&second, &id).unwrap());
}

#[test]
fn a_vacated_port_is_its_guards_to_bind_and_to_hold_again() {
    let first = TempStore::new();
    let mut guard = first.guard(&first.api).unwrap();
    let (second, id) = in_second(&guard);
    for _ in 0..3 {
        let server = TcpListener::bind(guard.vacate().unwrap()).unwrap();
        let error = try_guard(&second, &id).unwrap_err();
        let said = "a guard has vacated it for its server: process ";
        assert!(error.to_string().contains(said), "{error}");
        drop(server);
        guard.rearm().unwrap();
    }
}

#[cfg(unix)]
#[test]
fn a_child_that_was_given_the_socket_leaves_the_port_to_its_guard() {
    let first = TempStore::new();
    let mut guard = first.guard(&first.api).unwrap();
    let (second, id) = in_second(&guard);
    let mut child = Command::new("sleep");
    let server = guard.spawn_activated(child.arg("600")).unwrap();
    try_guard(&second, &id).unwrap_err();
    drop(server);
    guard.rearm().unwrap();
}

/// It costs them an error, and gives the squatter nothing of ours.
#[cfg(target_os = "linux")]
#[test]
fn a_squatter_on_the_marker_of_a_port_is_named() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener};

    let store = TempStore::new();
    let mut guard = store.guard(&store.api).unwrap();
    let name = SocketAddr::from_abstract_name(format!("port-for/{}", guard.port())).unwrap();
    let squatter = UnixListener::bind_addr(&name).unwrap();
    let error = guard.vacate().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Handoff);
    let message = error.to_string();
    let user = format!("user {}", rustix::process::getuid().as_raw());
    for part in ["as its own", &*std::process::id().to_string(), &user] {
        assert!(message.contains(part), "{message:?} lacks {part:?}");
    }
    // Still held, so that no other program has it.
    TcpListener::bind(guard.addr()).unwrap_err();
    drop(squatter);
    guard.vacate().unwrap();
}

#[test]
fn where_a_sandbox_forbids_markers_a_store_keeps_its_own_ports_apart() {
    let store = TempStore::new();
    let mut child = ChildTest::start(test_name!(without_markers), store.path(), &store.api);
    assert_eq!(child.line(), "kept");
    child.join();
}

#[test]
#[ignore = "a sandboxed process for another test"]
fn without_markers() {
    let Some((path, id)) = told() else { return };
    forbid_unix_sockets();
    std::os::unix::net::UnixDatagram::unbound().unwrap_err();
    let ports = PortFor::open(&path).unwrap();
    let mut guard = ports.guard(&id).unwrap();
    let addr = guard.vacate().unwrap();
    let busy = ports
        .request(&id)
        .timeout(Duration::ZERO)
        .guard()
        .unwrap_err();
    assert_eq!(busy.kind(), ErrorKind::Busy, "{busy}");
    drop(TcpListener::bind(addr).unwrap());
    guard.rearm().unwrap();
    guard.close().unwrap();
    assert_eq!(ports.guard(&id).unwrap().addr(), addr);
    report("kept");
}

/// From now on, this process cannot make a socket of Unix's own kind.
#[allow(unsafe_code)]
fn forbid_unix_sockets() {
    let step = |code: u32, k: u32, jt: u8, jf: u8| libc::sock_filter {
        code: u16::try_from(code).unwrap(),
        jt,
        jf,
        k,
    };
    let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    let is = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let end = libc::BPF_RET | libc::BPF_K;
    // The number of the call comes first, the first argument after sixteen bytes.
    let argument = if cfg!(target_endian = "little") {
        16
    } else {
        20
    };
    let mut steps = [
        step(load, 0, 0, 0),
        step(is, u32::try_from(libc::SYS_socket).unwrap(), 0, 3),
        step(load, argument, 0, 0),
        step(is, u32::try_from(libc::AF_UNIX).unwrap(), 0, 1),
        step(
            end,
            libc::SECCOMP_RET_ERRNO | u32::try_from(libc::EPERM).unwrap(),
            0,
            0,
        ),
        step(end, libc::SECCOMP_RET_ALLOW, 0, 0),
    ];
    let program = libc::sock_fprog {
        len: u16::try_from(steps.len()).unwrap(),
        filter: steps.as_mut_ptr(),
    };
    let set = |operation, value: u64, pointer: *const libc::sock_fprog| {
        // SAFETY: the program is there, and as long as it says.
        unsafe { libc::prctl(operation, value, pointer, 0, 0) }
    };
    assert_eq!(set(libc::PR_SET_NO_NEW_PRIVS, 1, std::ptr::null()), 0);
    let mode = u64::from(libc::SECCOMP_MODE_FILTER);
    assert_eq!(set(libc::PR_SET_SECCOMP, mode, &raw const program), 0);
}
