//! Unions, intersections and differences of sets.

use std::collections::BTreeSet;

use port_for::PortSet;
use port_for::ports::pick;

use super::set;

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
