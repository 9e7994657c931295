//! Going through the ports of a set, from either end.

use std::iter::{Flatten, FusedIterator};
use std::ops::RangeInclusive;
use std::{slice, vec};

/// The ports of a [`PortSet`](super::PortSet), ascending.
#[derive(Clone, Debug)]
pub struct Iter<'a>(Flatten<Ranges<'a>>);

/// The ports of a [`PortSet`](super::PortSet) that was given away, ascending.
#[derive(Clone, Debug)]
pub struct IntoIter(Flatten<IntoRanges>);

/// The ranges of a [`PortSet`](super::PortSet), ascending.
#[derive(Clone, Debug)]
pub struct Ranges<'a>(slice::Iter<'a, (u16, u16)>);

#[derive(Clone, Debug)]
struct IntoRanges(vec::IntoIter<(u16, u16)>);

impl<'a> Iter<'a> {
    pub(super) fn new(ranges: Ranges<'a>) -> Self {
        Self(ranges.flatten())
    }
}

impl<'a> Ranges<'a> {
    pub(super) fn new(runs: &'a [(u16, u16)]) -> Self {
        Self(runs.iter())
    }
}

impl IntoIter {
    pub(super) fn new(runs: Vec<(u16, u16)>) -> Self {
        Self(IntoRanges(runs.into_iter()).flatten())
    }
}

/// The iterator traits of a type that wraps another iterator.
macro_rules! iterator {
    ($name:ty, $item:ty, $convert:expr) => {
        impl Iterator for $name {
            type Item = $item;

            fn next(&mut self) -> Option<$item> {
                self.0.next().map($convert)
            }

            fn size_hint(&self) -> (usize, Option<usize>) {
                self.0.size_hint()
            }
        }

        impl DoubleEndedIterator for $name {
            fn next_back(&mut self) -> Option<$item> {
                self.0.next_back().map($convert)
            }
        }

        impl FusedIterator for $name {}
    };
}

iterator!(Iter<'_>, u16, |port| port);
iterator!(IntoIter, u16, |port| port);
iterator!(Ranges<'_>, RangeInclusive<u16>, |&(first, last)| first
    ..=last);
iterator!(IntoRanges, RangeInclusive<u16>, |(first, last)| first
    ..=last);

impl ExactSizeIterator for Ranges<'_> {}
