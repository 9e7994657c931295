//! What a set of ports has in it, however it was made.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::RangeInclusive;

use port_for::PortSet;

use super::set;

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
