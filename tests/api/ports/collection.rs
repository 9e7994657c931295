//! What a `PortSet` can do as a collection.

use port_for::PortSet;
use rstest::rstest;

use super::set;

#[rstest]
#[case("8000", 8002, "8000,8002", true)]
#[case("8000,8002", 8001, "8000-8002", true)]
#[case("8000-8002", 8001, "8000-8002", false)]
#[case("65534", 65535, "65534-65535", true)]
#[case("8000", 0, "8000", false)]
fn insert_adds_a_port_and_says_whether_it_is_new(
    #[case] before: &str,
    #[case] port: u16,
    #[case] after: &str,
    #[case] is_new: bool,
) {
    let mut ports = set(before);
    assert_eq!(ports.insert(port), is_new);
    assert_eq!(ports, set(after));
}

#[rstest]
#[case("8000-8002", 8001, "8000,8002", true)]
#[case("8000-8002", 8000, "8001-8002", true)]
#[case("8000-8002", 9000, "8000-8002", false)]
#[case("65535,1", 65535, "1", true)]
#[case("8000", 0, "8000", false)]
fn remove_takes_a_port_away_and_says_whether_it_was_there(
    #[case] before: &str,
    #[case] port: u16,
    #[case] after: &str,
    #[case] was_there: bool,
) {
    let mut ports = set(before);
    assert_eq!(ports.remove(port), was_there);
    assert_eq!(ports, set(after));
}

#[test]
fn the_last_port_can_be_removed() {
    let mut ports = PortSet::from([8000]);
    assert!(ports.remove(8000));
    assert!(ports.is_empty());
}

#[test]
fn operators_take_sets_and_borrowed_sets() {
    let (a, b) = (set("1-5"), set("4-8"));
    for union in [
        &a | &b,
        a.clone() | &b,
        &a | b.clone(),
        a.clone() | b.clone(),
    ] {
        assert_eq!(union, set("1-8"));
    }
    assert_eq!(a.clone() & b.clone(), set("4-5"));
    assert_eq!(a.clone() - &b, set("1-3"));
    assert_eq!(&b - a, set("6-8"));
}

#[test]
fn sets_are_compared_as_sets() {
    let (few, many, others) = (set("4-5"), set("1-8"), set("9"));
    assert!(few.is_subset(&many) && !many.is_subset(&few) && few.is_subset(&few));
    assert!(few.is_disjoint(&others) && !few.is_disjoint(&many));
}

#[test]
fn a_set_is_gone_through_from_either_end() {
    let ports = set("1-2,5,8-9");
    assert!(ports.iter().rev().eq([9, 8, 5, 2, 1]));
    assert!(ports.ranges().rev().eq([8..=9, 5..=5, 1..=2]));
    assert_eq!(ports.ranges().len(), 3);
    let mut iter = ports.iter();
    assert_eq!((iter.next(), iter.next_back()), (Some(1), Some(9)));
    assert!(iter.eq([2, 5, 8]));
    assert!((&ports).into_iter().eq(ports.clone()));
    assert!(ports.into_iter().rev().eq([9, 8, 5, 2, 1]));
}
