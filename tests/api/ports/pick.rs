//! What Python's `get_port` and `select_random` are given, and what they give.

use std::net::{Ipv4Addr, TcpListener};

use port_for::PortSet;
use port_for::ports::{is_used, pick};
use rstest::rstest;

use super::set;

#[test]
fn from_the_pool() {
    let port = pick(&PortSet::good()).unwrap().unwrap();
    assert!(PortSet::available(..).contains(port));
}

#[rstest]
#[case::a_range(PortSet::from(2000..=3000))]
#[case::a_set(PortSet::from([4001, 4002, 4003]))]
#[case::a_mix(&PortSet::from(2000..=3000) | &PortSet::from([4001, 4002, 4003]))]
fn from(#[case] ports: PortSet) {
    let port = pick(&ports).unwrap().unwrap();
    assert!(ports.contains(port));
}

#[test]
fn without_the_excluded() {
    let exclude = set("8000,8001,8003-8010");
    let left = &PortSet::from(8000..=8010) - &exclude;
    assert_eq!(left.choose_random(), Some(8002));
    match pick(&left).unwrap() {
        Some(port) => assert_eq!(port, 8002),
        None => assert!(is_used((Ipv4Addr::LOCALHOST, 8002)), "8002 is free"),
    }
}

#[test]
fn gives_nothing_where_nothing_is() {
    assert_eq!(pick(&PortSet::new()).unwrap(), None);
}

#[test]
fn leaves_an_exact_number_unchecked_to_choose_random() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    assert_eq!(set(&port.to_string()).choose_random(), Some(port));
}

/// Where a process can be given another user, and few file descriptors.
#[cfg(unix)]
mod on_unix {
    use std::fs::{self, File, Permissions};
    use std::net::{Ipv4Addr, TcpListener, TcpStream};
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    use std::path::Path;
    use std::process::Command;

    use port_for::PortSet;
    use port_for::ports::{is_available, is_used, pick};

    use crate::files::{SOMEBODY, is_root};
    use crate::support::child::{give_environment, test_name};
    use crate::support::{ChildTest, TempStore, command, in_shell, report, told};

    /// Without a file descriptor that is left, nothing is known about any port.
    #[test]
    fn that_cannot_ask_the_system_is_an_error() {
        let picks = command(test_name!(child_picks_blindly), Path::new("-"), "");
        let mut child = ChildTest::run(&mut in_shell(r#"ulimit -n 64 && exec "$@""#, &picks));
        assert_eq!(child.line(), "done");
        child.join();
    }

    #[test]
    #[ignore = "a child of another test"]
    fn child_picks_blindly() {
        if told().is_none() {
            return;
        }
        let good = PortSet::good();
        let _all_there_are: Vec<File> =
            std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        let error = pick(&good).unwrap_err();
        assert_eq!(
            error.raw_os_error(),
            Some(rustix::io::Errno::MFILE.raw_os_error())
        );
        let port = good.choose_random().unwrap();
        assert!(is_used((Ipv4Addr::LOCALHOST, port)), "in doubt, used");
        assert!(!is_available(port), "in doubt, not available");
        report("done");
    }

    /// Reports whether the port that it is told can be picked.
    #[test]
    #[ignore = "a child of another test"]
    fn child_picks() {
        let Some((_, port)) = told() else { return };
        let only = PortSet::from([port.parse().unwrap()]);
        report(format_args!("{:?}", pick(&only)));
    }

    #[test]
    fn a_port_with_connections_that_this_user_may_not_bind_is_taken_and_no_error() {
        if !is_root() {
            eprintln!("skipped: only root can listen where others may not");
            return;
        }
        let server =
            (600..1024).find_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok());
        let server = server.expect("a privileged port is free");
        let addr = server.local_addr().unwrap();
        let _connection = (TcpStream::connect(addr).unwrap(), server.accept().unwrap());

        // Where another user can run it.
        let store = TempStore::new();
        fs::set_permissions(store.folder(), Permissions::from_mode(0o711)).unwrap();
        let program = store.folder().join("api");
        fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        let picks = command(
            test_name!(child_picks),
            Path::new("-"),
            &addr.port().to_string(),
        );
        let mut command = Command::new(program);
        command
            .args(picks.get_args())
            .current_dir("/")
            .uid(SOMEBODY);
        give_environment(&picks, &mut command);
        let mut child = ChildTest::run(&mut command);
        assert_eq!(child.line(), "Ok(None)");
        child.join();
    }
}
