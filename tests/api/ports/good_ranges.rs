//! The ranges that the pool is made of.

use std::ops::RangeInclusive;

use port_for::PortSet;
use rstest::rstest;

use super::set;

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
