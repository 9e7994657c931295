//! Which ports: the set, its text, and the questions about single ports.

#![allow(
    clippy::disallowed_methods,
    reason = "tests talk to their children by environment"
)]
#![allow(missing_docs)]

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::ops::RangeInclusive;

use port_for::PortSet;
use port_for::ports::{is_available, is_used, pick};
use rstest::rstest;
use socket2::{Domain, Socket, Type};

#[track_caller]
fn set(text: &str) -> PortSet {
    text.parse().unwrap()
}

mod text {
    use super::*;

    #[rstest]
    #[case("8000", "8000")]
    #[case("2000-3000,4001,4003", "2000-3000,4001,4003")]
    #[case("1-65535", "1-65535")]
    #[case("7-7", "7")]
    #[case("9,8,7", "7-9")]
    #[case("10-20,15-30,31", "10-31")]
    #[case("65535,1", "1,65535")]
    #[case(" 4003 ,\t2000 - 3000\n", "2000-3000,4003")]
    #[case("0080", "80")]
    fn is_read_and_written_in_its_shortest_form(#[case] text: &str, #[case] written: &str) {
        let ports = set(text);
        assert_eq!(ports.to_string(), written);
        assert_eq!(set(written), ports);
    }

    #[rstest]
    #[case("", "", r#"in "", column 1: a port is missing"#)]
    #[case("  ", "", r#"in "  ", column 1: a port is missing"#)]
    #[case(",,", "", r#"in ",,", column 1: a port is missing"#)]
    #[case("8000,", "", r#"in "8000,", column 6: a port is missing"#)]
    #[case("8000, ,9", "", r#"in "8000, ,9", column 6: a port is missing"#)]
    #[case("a-b", "a", r#"in "a-b", column 1: "a" is not a number"#)]
    #[case("8000,a-b", "a", r#"in "8000,a-b", column 6: "a" is not a number"#)]
    #[case("8000,9-b", "b", r#"in "8000,9-b", column 8: "b" is not a number"#)]
    #[case(
        "8000 8001",
        "8000 8001",
        r#"in "8000 8001", column 1: "8000 8001" is not a number"#
    )]
    #[case("+80", "+80", r#"in "+80", column 1: "+80" is not a number"#)]
    #[case("é,x", "é", r#"in "é,x", column 1: "é" is not a number"#)]
    #[case("1-2-3", "2-3", r#"in "1-2-3", column 3: "2-3" is not a number"#)]
    #[case("0", "0", r#"in "0", column 1: "0" is not a port"#)]
    #[case("0-10", "0", r#"in "0-10", column 1: "0" is not a port"#)]
    #[case("70000", "70000", r#"in "70000", column 1: "70000" is too high"#)]
    #[case("80-65536", "65536", r#"in "80-65536", column 4: "65536" is too high"#)]
    #[case(
        "1-",
        "1-",
        r#"in "1-", column 1: the range "1-" lacks one of its ends"#
    )]
    #[case(
        "-1",
        "-1",
        r#"in "-1", column 1: the range "-1" lacks one of its ends"#
    )]
    #[case(
        "1,-",
        "-",
        r#"in "1,-", column 3: the range "-" lacks one of its ends"#
    )]
    #[case(
        "3000-2000",
        "3000-2000",
        r#"in "3000-2000", column 1: the range "3000-2000" runs backwards, write "2000-3000""#
    )]
    fn that_is_no_set_is_an_error_that_points_into_it(
        #[case] text: &str,
        #[case] part: &str,
        #[case] message: &str,
    ) {
        let error = text.parse::<PortSet>().unwrap_err();
        assert_eq!(error.text(), text);
        assert_eq!(&text[error.span()], part);

        let (problem, remedy) = error.to_string().split_once("; valid are ").map_or_else(
            || panic!("does not say what is valid: {error}"),
            |(problem, remedy)| (problem.to_owned(), remedy.to_owned()),
        );
        assert_eq!(problem, message);
        assert!(remedy.contains("65535"), "{remedy}");
    }

    #[test]
    fn of_the_message_is_one_line_whatever_was_given() {
        let error = "80\n,\u{1b}[31mx".parse::<PortSet>().unwrap_err();
        assert!(!error.to_string().contains(char::is_control), "{error}");
    }

    #[test]
    fn of_any_garbage_gives_an_error_or_a_set_that_reads_back() {
        let mut random = fastrand::Rng::with_seed(5);
        for _ in 0..20_000 {
            let len = random.usize(..12);
            let text: String = (0..len)
                .map(|_| {
                    random
                        .choice(['0', '1', '2', '6', '9', '-', ',', ' ', 'é'])
                        .unwrap()
                })
                .collect();
            match text.parse::<PortSet>() {
                Ok(ports) => assert_eq!(set(&ports.to_string()), ports, "{text:?}"),
                Err(error) => assert!(text.get(error.span()).is_some(), "{text:?}: {error:?}"),
            }
        }
    }

    #[test]
    fn of_an_empty_set_is_empty() {
        assert_eq!(PortSet::new().to_string(), "");
    }

    #[test]
    fn for_debugging_shows_ranges() {
        assert_eq!(format!("{:?}", set("1-3,7")), "{1..=3, 7..=7}");
    }
}

mod set_operations {
    use super::*;

    /// Ports near each other and near both ends, so that runs touch and overlap.
    fn any_ports(random: &mut fastrand::Rng) -> BTreeSet<u16> {
        let mut ports = BTreeSet::new();
        for _ in 0..random.u8(..8) {
            let first = if random.bool() {
                random.u16(1..36)
            } else {
                random.u16(65_500..)
            };
            ports.extend(first..=first.saturating_add(random.u16(..6)));
        }
        ports
    }

    #[test]
    fn agree_with_those_of_the_standard_sets() {
        let mut random = fastrand::Rng::with_seed(4);
        for _ in 0..5_000 {
            let (a, b) = (any_ports(&mut random), any_ports(&mut random));
            let (ours, theirs): (PortSet, PortSet) =
                (a.iter().copied().collect(), b.iter().copied().collect());

            assert!(ours.iter().eq(a.iter().copied()), "{a:?}");
            assert!((&ours | &theirs).iter().eq(&a | &b), "{a:?} | {b:?}");
            assert!((&ours & &theirs).iter().eq(&a & &b), "{a:?} & {b:?}");
            assert!((&ours - &theirs).iter().eq(&a - &b), "{a:?} - {b:?}");
            assert_eq!(ours.len(), a.len());
            assert_eq!(ours.is_empty(), a.is_empty());
            assert_eq!(ours == theirs, a == b);
            for port in (0..50).chain(65_490..=65_535) {
                assert_eq!(ours.contains(port), a.contains(&port), "{port} in {a:?}");
            }
            assert!(
                ours.ranges()
                    .zip(ours.ranges().skip(1))
                    .all(|(one, next)| one.end() + 1 < *next.start())
            );
            assert_eq!(ours.choose_random().is_none(), a.is_empty());
            assert!(ours.choose_random().is_none_or(|port| a.contains(&port)));
            if !ours.is_empty() {
                assert_eq!(set(&ours.to_string()), ours);
            }
        }
    }

    #[test]
    fn leave_both_sides_as_they_were() {
        let (a, b) = (set("1-10"), set("5-20"));
        let _ = (&a | &b, &a & &b, &a - &b, pick(&a));
        assert_eq!((a, b), (set("1-10"), set("5-20")));
    }

    #[test]
    fn reach_both_ends_of_the_numbers() {
        let all = PortSet::from(1..=65_535);
        assert_eq!(all.len(), 65_535);
        assert_eq!(&all - &set("1,65535"), set("2-65534"));
        assert_eq!(&all - &all, PortSet::new());
        assert_eq!(&all - &PortSet::new(), all);
    }
}

mod a_set {
    use super::*;

    #[test]
    fn never_has_port_zero() {
        let from_range = PortSet::from(0..=3);
        let from_ports = PortSet::from([0, 1, 2, 3]);
        let mut extended = PortSet::new();
        extended.extend(0..=3);
        for ports in [from_range, from_ports, extended] {
            assert_eq!(ports, set("1-3"));
            assert!(!ports.contains(0));
        }
        assert!(PortSet::from([0]).is_empty());
    }

    #[test]
    #[expect(clippy::reversed_empty_ranges)]
    fn of_an_empty_range_is_empty() {
        assert_eq!(PortSet::from(3000..=2000), PortSet::new());
        let mut spent: RangeInclusive<u16> = 7..=7;
        spent.next();
        assert_eq!(PortSet::from(spent), PortSet::new());
    }

    #[test]
    fn is_equal_and_hashes_alike_however_it_was_made() {
        let hash = |ports: &PortSet| {
            let mut hasher = DefaultHasher::new();
            ports.hash(&mut hasher);
            hasher.finish()
        };
        let mut extended = PortSet::from([3, 1]);
        extended.extend([2]);
        extended.extend([4..=6, 5..=9]);
        let parsed = set("9,1-8");
        assert_eq!(extended, parsed);
        assert_eq!(hash(&extended), hash(&parsed));
    }

    #[test]
    fn is_iterated_by_reference() {
        let mut seen = Vec::new();
        for port in &set("4003,4001") {
            seen.push(port);
        }
        assert_eq!(seen, [4001, 4003]);
    }

    #[test]
    fn chooses_each_of_its_ports_at_some_time() {
        let ports = set("1-3,65535");
        // Each draw misses a given port three times of four: 200 in a row, never.
        let chosen: PortSet = (0..200).filter_map(|_| ports.choose_random()).collect();
        assert_eq!(chosen, ports);
    }
}

mod good_ranges {
    use super::*;

    #[rstest]
    #[case::as_python_gives_them("10-15,100-200,220-245,300-330,440-495", 20, 3, vec![103..=197, 443..=492, 303..=327])]
    #[case::of_27_are_the_shortest("100-126,200-225", 20, 3, vec![103..=123])]
    #[case::without_limits_are_all_but_single_numbers("5,7-8", 0, 0, vec![7..=8, 5..=5])]
    #[case::without_borders("100-120", 20, 0, vec![100..=120])]
    #[case::of_one_length_come_highest_first("100-126,200-226", 20, 3, vec![203..=223, 103..=123])]
    #[case::up_to_the_highest_port("65000-65535", 20, 3, vec![65003..=65532])]
    #[case::longer_than_any("1-65535", 65535, 65535, vec![])]
    fn are_long_and_lack_their_borders(
        #[case] ports: &str,
        #[case] min_len: u16,
        #[case] border: u16,
        #[case] good: Vec<RangeInclusive<u16>>,
    ) {
        assert_eq!(set(ports).good_ranges(min_len, border), good);
    }

    #[test]
    fn of_this_machine_are_many() {
        assert!(PortSet::available(..).good_ranges(20, 3).len() > 10);
        assert!(PortSet::good().len() > 1000);
    }
}

mod a_port {
    use super::*;

    /// A socket as another program might have it, on a port of the system's choice; `None` on a machine
    /// without IPv6.
    fn strangers_socket(kind: Type, addr: &str, reuse: bool) -> Option<(Socket, SocketAddr)> {
        let addr: SocketAddr = addr.parse().unwrap();
        if addr.is_ipv6() && TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
            return None;
        }
        let socket = Socket::new(Domain::for_address(addr), kind, None).unwrap();
        if addr.is_ipv6() {
            socket.set_only_v6(true).unwrap();
        }
        socket.set_reuse_address(reuse).unwrap();
        socket.bind(&addr.into()).unwrap();
        let addr = socket.local_addr().unwrap().as_socket().unwrap();
        Some((socket, addr))
    }

    #[rstest]
    #[case(Type::STREAM, "127.0.0.1:0")]
    #[case(Type::STREAM, "0.0.0.0:0")]
    #[case(Type::STREAM, "[::1]:0")]
    #[case(Type::STREAM, "[::]:0")]
    #[case(Type::DGRAM, "127.0.0.1:0")]
    #[case(Type::DGRAM, "0.0.0.0:0")]
    #[case(Type::DGRAM, "[::1]:0")]
    #[case(Type::DGRAM, "[::]:0")]
    #[cfg_attr(target_os = "linux", case(Type::STREAM, "127.0.0.2:0"))]
    #[cfg_attr(target_os = "linux", case(Type::DGRAM, "127.0.0.2:0"))]
    fn is_not_picked_while_any_socket_has_it(
        #[case] kind: Type,
        #[case] addr: &str,
        #[values(false, true)] reuse: bool,
    ) {
        let Some((_socket, addr)) = strangers_socket(kind, addr, reuse) else {
            return;
        };
        assert_eq!(pick(&PortSet::from([addr.port()])).unwrap(), None);
    }

    #[rstest]
    #[case("127.0.0.1:0")]
    #[case("0.0.0.0:0")]
    #[case("[::1]:0")]
    #[case("[::]:0")]
    fn is_used_where_a_socket_has_it_listening_or_not(
        #[case] addr: &str,
        #[values(false, true)] reuse: bool,
    ) {
        let Some((socket, addr)) = strangers_socket(Type::STREAM, addr, reuse) else {
            return;
        };
        assert!(is_used(addr), "bound");
        socket.listen(1).unwrap();
        assert!(is_used(addr), "listening");
    }

    #[test]
    fn is_used_at_the_loopback_where_a_socket_has_it_at_the_wildcard() {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(is_used((Ipv4Addr::LOCALHOST, port)));
        assert!(
            is_used((Ipv4Addr::LOCALHOST.to_ipv6_mapped(), port)),
            "the same address, mapped"
        );
    }

    #[test]
    fn is_free_as_soon_as_its_socket_is_closed() {
        // Outside the pool, where other tests get theirs, and the ephemeral ports. Still another program
        // may come and take one: it would have to do so ten times.
        let quiet = &PortSet::from(10_000..=32_000) - &PortSet::unassigned();
        let freed = (0..10).any(|_| {
            let port = pick(&quiet).unwrap().unwrap();
            let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) else {
                return false;
            };
            let addr = listener.local_addr().unwrap();
            assert!(is_used(addr));
            drop(listener);
            !is_used(addr) && pick(&PortSet::from([port])).unwrap() == Some(port)
        });
        assert!(freed);
    }

    #[rstest]
    #[case::http(80)]
    #[case::memcached(11211)]
    #[case::discard(9)]
    #[case::no_port_at_all(0)]
    fn that_is_assigned_is_not_available(#[case] port: u16) {
        assert!(!is_available(port));
    }

    #[test]
    fn is_available_until_a_socket_has_it() {
        let available = PortSet::available(..);
        let seen = (0..10).any(|_| {
            let port = pick(&available).unwrap().unwrap();
            let before = is_available(port);
            let Ok(_listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) else {
                return false;
            };
            assert!(!is_available(port));
            before
        });
        assert!(seen);
    }

    #[test]
    fn of_the_system_is_used_where_this_user_may_not_bind_it() {
        let addr = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 10));
        if TcpListener::bind(addr).is_err() {
            assert!(is_used(addr));
        }
        assert!(!is_available(10));
    }
}

/// What Python's `get_port` and `select_random` are given, and what they give.
mod pick {
    use super::*;

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
            None => assert!(is_used((Ipv4Addr::LOCALHOST, 8002)), "nobody has 8002"),
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

    /// With no file descriptor left nothing is known about any port. That takes a process of its own:
    /// this very test, run again.
    #[cfg(unix)]
    #[test]
    fn that_cannot_ask_the_system_is_an_error() {
        use std::env;
        use std::fs::File;
        use std::process::Command;

        const IS_INNER: &str = "PORTS_TEST_WITH_FEW_DESCRIPTORS";
        if env::var_os(IS_INNER).is_none() {
            let output = Command::new("sh")
                .args(["-c", r#"ulimit -n 64 && exec "$0" --exact "$1""#])
                .arg(env::current_exe().unwrap())
                .arg("pick::that_cannot_ask_the_system_is_an_error")
                .env(IS_INNER, "1")
                .output()
                .unwrap();
            let stdout = String::from_utf8_lossy(&output.stdout);
            assert!(
                output.status.success() && stdout.contains("1 passed"),
                "{stdout}"
            );
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
    }
}
