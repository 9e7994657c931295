//! The sets that the registry and the machine define.

use std::ops::{Bound, RangeBounds, RangeInclusive};

use super::PortSet;
use super::os;
use super::table::UNASSIGNED;

/// A run is good if this many ports, and one more, remain between its borders.
const MIN_LEN: u16 = 20;
/// Ports left alone at each end of a run.
const BORDER: u16 = 3;
/// The system's ports: to bind one takes privileges nearly everywhere.
const SYSTEM: RangeInclusive<u16> = 1..=1024;

impl PortSet {
    /// The ports that IANA has assigned to no service, for TCP or UDP, that are not well known without
    /// it either, and that web browsers open.
    ///
    /// The same on every machine. In Python: `UNASSIGNED_RANGES`.
    ///
    /// ```
    /// use port_for::PortSet;
    ///
    /// assert!(!PortSet::unassigned().contains(11211)); // memcached
    /// ```
    #[must_use]
    pub fn unassigned() -> PortSet {
        PortSet::from_runs(UNASSIGNED.to_vec())
    }

    /// The [unassigned](Self::unassigned) ports in `range` that the system leaves alone: those above
    /// 1024 and neither [ephemeral](Self::ephemeral) nor [reserved](Self::reserved).
    ///
    /// In Python: `available_ports(low, high)`, which leaves out `low` and `high` themselves; here the
    /// range says whether it includes its ends. Exclude more with `-`.
    ///
    /// ```
    /// use port_for::PortSet;
    ///
    /// let ports = PortSet::available(20000..=29999);
    /// let others = &ports - &PortSet::from(25000..=25999);
    /// assert!(!others.contains(25500));
    /// ```
    #[must_use]
    pub fn available(range: impl RangeBounds<u16>) -> PortSet {
        let unused = PortSet::unassigned().difference(&PortSet::from(SYSTEM));
        let quiet = unused
            .difference(&PortSet::ephemeral())
            .difference(&PortSet::reserved());
        quiet.intersection(&bounded(&range))
    }

    /// The ports worth giving to a program for good: those [available](Self::available), in runs of
    /// at least 27 and at least 3 away from a run's ends.
    ///
    /// About 19,000 on an ordinary Linux. In Python: `available_good_ports()`, and its ranges are
    /// [`PortSet::available(..).good_ranges(20, 3)`](Self::good_ranges).
    ///
    /// ```
    /// use port_for::PortSet;
    ///
    /// let good = PortSet::good();
    /// assert!(good.len() > 1000);
    /// assert!((&good & &PortSet::ephemeral()).is_empty());
    /// ```
    #[must_use]
    pub fn good() -> PortSet {
        good_of(&PortSet::available(..))
    }

    /// The ports that this system gives to sockets that did not ask for a certain one, such as
    /// clients' and those of `bind(0)`.
    ///
    /// From `ip_local_port_range` on Linux, `net.inet.ip.portrange` on macOS and FreeBSD, and
    /// `netsh` on Windows. 49152–65535, IANA's suggestion, where the system does not tell.
    ///
    /// In Python: `ephemeral.port_ranges()`.
    #[must_use]
    pub fn ephemeral() -> PortSet {
        os::ephemeral()
    }

    /// The ports that this system's administrator, or the system itself, has set aside.
    ///
    /// From `ip_local_reserved_ports` on Linux, and the excluded port ranges that `netsh` lists on
    /// Windows. Empty on other systems, which know no such thing, and where the system does not tell.
    /// Python's `port-for` has no counterpart.
    #[must_use]
    pub fn reserved() -> PortSet {
        os::reserved()
    }
}

/// What [`PortSet::good`] leaves of any ports.
pub(super) fn good_of(ports: &PortSet) -> PortSet {
    ports.long_runs(MIN_LEN, BORDER)
}

fn bounded(range: &impl RangeBounds<u16>) -> PortSet {
    let first = match range.start_bound() {
        Bound::Included(&first) => Some(first),
        Bound::Excluded(before) => before.checked_add(1),
        Bound::Unbounded => Some(0),
    };
    let last = match range.end_bound() {
        Bound::Included(&last) => Some(last),
        Bound::Excluded(after) => after.checked_sub(1),
        Bound::Unbounded => Some(u16::MAX),
    };
    match (first, last) {
        (Some(first), Some(last)) => PortSet::from(first..=last),
        _ => PortSet::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_its_one_form() {
        assert!(
            UNASSIGNED
                .iter()
                .all(|(first, last)| 0 < *first && first <= last)
        );
        assert!(UNASSIGNED.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
        assert_eq!(PortSet::unassigned().ranges().count(), UNASSIGNED.len());
    }

    #[test]
    fn an_ordinary_linux_leaves_19_001_good_ports() {
        let available = &PortSet::unassigned() - &PortSet::from(32768..=60999);
        let good = good_of(&available);
        assert_eq!(good.len(), 19_001);
        assert_eq!(good.ranges().count(), 202);
    }

    #[test]
    fn good_ports_are_neither_ephemeral_nor_reserved_nor_at_a_border() {
        let good = PortSet::good();
        assert!((&good & &PortSet::ephemeral()).is_empty());
        assert!((&good & &PortSet::reserved()).is_empty());
        let available = PortSet::available(..);
        let beside = |port| (port - BORDER..=port + BORDER).all(|near| available.contains(near));
        assert!(good.iter().all(beside));
    }

    #[test]
    fn available_takes_any_kind_of_range() {
        let all = PortSet::available(..);
        for (part, first, last) in [
            (PortSet::available(20000..=29999), 20000, 29999),
            (PortSet::available(20000..30000), 20000, 29999),
            (PortSet::available(20000..), 20000, 65535),
            (PortSet::available(..=29999), 1, 29999),
            (PortSet::available(..0), 1, 0),
            (
                PortSet::available((Bound::Excluded(65535), Bound::Unbounded)),
                1,
                0,
            ),
        ] {
            assert_eq!(
                part,
                &all & &PortSet::from(first..=last),
                "{first}..={last}"
            );
        }
    }
}
