//! The set itself: sorted runs of ports, and what sets can do.

use std::borrow::Borrow;
use std::fmt;
use std::ops::{BitAnd, BitOr, RangeInclusive, Sub};

use super::iter::{IntoIter, Iter, Ranges};

const HIGHEST: u16 = u16::MAX;

/// A set of ports, each of 1 to 65535.
///
/// It is kept as runs, so a set of a few long ranges is small however many ports it has. Zero is not a
/// port ("any port", says the system's interface): a text that names it does not parse, and elsewhere
/// it is left out.
///
/// # Examples
///
/// ```
/// use port_for::PortSet;
///
/// let ports: PortSet = "2000-3000,4001,4003".parse()?;
/// assert_eq!(ports.len(), 1003);
/// assert!(ports.contains(4001));
///
/// let without = ports - PortSet::from(2001..=2999);
/// assert_eq!(without.to_string(), "2000,3000,4001,4003");
/// # Ok::<(), port_for::ports::ParsePortSetError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct PortSet {
    /// First and last of each run: ascending, at least 1, and never touching the next run.
    runs: Vec<(u16, u16)>,
}

impl PortSet {
    /// The set without ports.
    #[must_use]
    pub const fn new() -> Self {
        Self { runs: Vec::new() }
    }

    /// Brings runs in any order into the one form that equal sets share.
    pub(super) fn from_runs(mut runs: Vec<(u16, u16)>) -> Self {
        runs.retain_mut(|(first, last)| {
            *first = (*first).max(1);
            first <= last
        });
        runs.sort_unstable();
        runs.dedup_by(|next, kept| {
            let touches = next.0 <= kept.1.saturating_add(1);
            if touches {
                kept.1 = kept.1.max(next.1);
            }
            touches
        });
        Self { runs }
    }

    /// Whether `port` is in the set.
    #[must_use]
    pub fn contains(&self, port: u16) -> bool {
        let after = self.runs.partition_point(|&(first, _)| first <= port);
        after > 0 && port <= self.runs[after - 1].1
    }

    /// The number of ports.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ranges().map(|range| range.len()).sum()
    }

    /// Whether there is no port in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The ports, ascending.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        Iter::new(self.ranges())
    }

    /// The ports as the fewest ranges, ascending.
    ///
    /// ```
    /// let ports = port_for::PortSet::from([7, 1, 3, 2]);
    /// assert!(ports.ranges().eq([1..=3, 7..=7]));
    /// ```
    #[must_use]
    pub fn ranges(&self) -> Ranges<'_> {
        Ranges::new(&self.runs)
    }

    /// Adds a port; false if the set has it already, and for 0.
    ///
    /// ```
    /// let mut ports = port_for::PortSet::from(8000..=8002);
    /// assert!(ports.insert(8003));
    /// assert!(ports.remove(8001));
    /// assert_eq!(ports.to_string(), "8000,8002-8003");
    /// assert!(!ports.remove(8001));
    /// ```
    pub fn insert(&mut self, port: u16) -> bool {
        let is_new = port > 0 && !self.contains(port);
        if is_new {
            self.extend([port]);
        }
        is_new
    }

    /// Removes a port; false if the set does not have it.
    pub fn remove(&mut self, port: u16) -> bool {
        let is_there = self.contains(port);
        if is_there {
            *self = self.difference(&Self::from([port]));
        }
        is_there
    }

    /// Whether the sets have no port in common.
    #[must_use]
    pub fn is_disjoint(&self, other: &PortSet) -> bool {
        self.intersection(other).is_empty()
    }

    /// Whether `other` has every port of this set.
    #[must_use]
    pub fn is_subset(&self, other: &PortSet) -> bool {
        self.difference(other).is_empty()
    }

    /// The ports of this set, of `other`, or of both; `self | other`.
    #[must_use]
    pub fn union(&self, other: &PortSet) -> PortSet {
        Self::from_runs([self.runs.as_slice(), other.runs.as_slice()].concat())
    }

    /// The ports that both sets have; `self & other`.
    #[must_use]
    pub fn intersection(&self, other: &PortSet) -> PortSet {
        let mut runs = Vec::new();
        let (mut ours, mut theirs) = (self.runs.as_slice(), other.runs.as_slice());
        while let ([a, ours_left @ ..], [b, theirs_left @ ..]) = (ours, theirs) {
            let (first, last) = (a.0.max(b.0), a.1.min(b.1));
            if first <= last {
                runs.push((first, last));
            }
            if a.1 < b.1 {
                ours = ours_left;
            } else {
                theirs = theirs_left;
            }
        }
        Self { runs }
    }

    /// The ports of this set that `other` has not; `self - other`.
    ///
    /// This is how ports are excluded, wherever Python's `port-for` takes `exclude_ports` or
    /// `exclude_ranges`.
    #[must_use]
    pub fn difference(&self, other: &PortSet) -> PortSet {
        self.intersection(&other.complement())
    }

    fn complement(&self) -> PortSet {
        let mut runs = Vec::with_capacity(self.runs.len() + 1);
        let mut first = 1;
        for &(start, end) in &self.runs {
            if first < start {
                runs.push((first, start - 1));
            }
            if end == HIGHEST {
                return Self { runs };
            }
            first = end + 1;
        }
        runs.push((first, HIGHEST));
        Self { runs }
    }

    /// The long runs of the set, longest first, without `border` ports at each end.
    ///
    /// Ports near the ends of a run are left out, because new registrations tend to be beside old ones. A run is left
    /// out unless more than `min_len` ports of it remain. Of equally long runs the higher one comes first.
    ///
    /// In Python: `good_port_ranges(ports, min_range_len, border)`, whose defaults are 20 and 3.
    ///
    /// ```
    /// use port_for::PortSet;
    ///
    /// let ports: PortSet = "10-15,100-200,220-245,300-330,440-495".parse()?;
    /// assert_eq!(ports.good_ranges(20, 3), [103..=197, 443..=492, 303..=327]);
    /// # Ok::<(), port_for::ports::ParsePortSetError>(())
    /// ```
    #[must_use]
    pub fn good_ranges(&self, min_len: u16, border: u16) -> Vec<RangeInclusive<u16>> {
        let mut long = self.long_runs(min_len, border).runs;
        long.sort_unstable_by_key(|&(first, last)| std::cmp::Reverse((last - first, first)));
        long.into_iter().map(|(first, last)| first..=last).collect()
    }

    /// What [`good_ranges`](Self::good_ranges) has, as a set.
    pub(super) fn long_runs(&self, min_len: u16, border: u16) -> PortSet {
        let shortest = usize::from(min_len) + 2 * usize::from(border) + 1;
        let long = self.ranges().filter(|run| run.len() >= shortest);
        let runs = long.map(|run| (run.start() + border, run.end() - border));
        Self {
            runs: runs.collect(),
        }
    }

    /// A port of the set, each as likely as any other, whether it is in use or not; `None` if the set
    /// is empty.
    ///
    /// [`pick`](super::pick) looks for one that is free.
    #[must_use]
    pub fn choose_random(&self) -> Option<u16> {
        if self.is_empty() {
            return None;
        }
        // Range by range: to count up to the port takes longer than all else that a guard costs.
        let mut nth = fastrand::usize(..self.len());
        for mut range in self.ranges() {
            match range.len() {
                len if nth < len => return range.nth(nth),
                len => nth -= len,
            }
        }
        None
    }
}

/// As a set of ranges.
impl fmt::Debug for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.ranges()).finish()
    }
}

/// The ports of a range; none if the range is empty.
impl From<RangeInclusive<u16>> for PortSet {
    fn from(range: RangeInclusive<u16>) -> Self {
        Self::from_iter([range])
    }
}

/// The ports of the array, in any order.
impl<const N: usize> From<[u16; N]> for PortSet {
    fn from(ports: [u16; N]) -> Self {
        Self::from_iter(ports)
    }
}

impl FromIterator<u16> for PortSet {
    fn from_iter<I: IntoIterator<Item = u16>>(ports: I) -> Self {
        Self::from_runs(ports.into_iter().map(|port| (port, port)).collect())
    }
}

impl FromIterator<RangeInclusive<u16>> for PortSet {
    fn from_iter<I: IntoIterator<Item = RangeInclusive<u16>>>(ranges: I) -> Self {
        let some = ranges.into_iter().filter(|range| !range.is_empty());
        Self::from_runs(some.map(RangeInclusive::into_inner).collect())
    }
}

impl Extend<u16> for PortSet {
    fn extend<I: IntoIterator<Item = u16>>(&mut self, ports: I) {
        *self = self.union(&ports.into_iter().collect());
    }
}

impl Extend<RangeInclusive<u16>> for PortSet {
    fn extend<I: IntoIterator<Item = RangeInclusive<u16>>>(&mut self, ranges: I) {
        *self = self.union(&ranges.into_iter().collect());
    }
}

/// An operator, whether either side is borrowed or given away.
macro_rules! operator {
    ($trait:ident :: $operator:ident is $method:ident) => {
        operator!($trait::$operator is $method, PortSet, PortSet);
        operator!($trait::$operator is $method, PortSet, &PortSet);
        operator!($trait::$operator is $method, &PortSet, PortSet);
        operator!($trait::$operator is $method, &PortSet, &PortSet);
    };
    ($trait:ident :: $operator:ident is $method:ident, $left:ty, $right:ty) => {
        impl $trait<$right> for $left {
            type Output = PortSet;

            fn $operator(self, other: $right) -> PortSet {
                self.$method(other.borrow())
            }
        }
    };
}

operator!(BitOr::bitor is union);
operator!(BitAnd::bitand is intersection);
operator!(Sub::sub is difference);

impl<'a> IntoIterator for &'a PortSet {
    type Item = u16;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl IntoIterator for PortSet {
    type Item = u16;
    type IntoIter = IntoIter;

    fn into_iter(self) -> IntoIter {
        IntoIter::new(self.runs)
    }
}
