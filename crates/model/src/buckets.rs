//! Buckets of time, and how much of a set of spans falls into each.
//!
//! A span adds to its first and its last bucket, and to a difference array
//! between, so the work does not grow with the number of buckets it crosses.

use std::ops::Range;
use std::sync::Arc;

use crate::span::Span;
use crate::time::{Timestamp, Zone};

/// The width of a bucket in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Granularity(u32);

/// A width that is not offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} is no granularity; in seconds it is one of 1, 5, 10, 15, 30, 60, 300, 900, 3600, 86400"
)]
pub struct UnknownGranularity(pub u32);

impl Granularity {
    /// The widths offered, in seconds.
    pub const SECONDS: [u32; 10] = [1, 5, 10, 15, 30, 60, 300, 900, 3600, DAY_SECONDS];

    /// The width in seconds.
    pub const fn seconds(self) -> u32 {
        self.0
    }
}

const DAY_SECONDS: u32 = 86_400;

impl Default for Granularity {
    /// A minute.
    fn default() -> Self {
        Self(60)
    }
}

impl TryFrom<u32> for Granularity {
    type Error = UnknownGranularity;

    fn try_from(seconds: u32) -> Result<Self, UnknownGranularity> {
        if Self::SECONDS.contains(&seconds) {
            Ok(Self(seconds))
        } else {
            Err(UnknownGranularity(seconds))
        }
    }
}

impl From<Granularity> for u32 {
    fn from(granularity: Granularity) -> Self {
        granularity.0
    }
}

/// A division of time into numbered buckets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Buckets {
    /// Buckets of equal length on the UTC clock, in milliseconds.
    Clock(i64),
    /// Days of a zone, by their first instants.
    Days(Arc<[i64]>),
}

impl Buckets {
    /// The buckets of a granularity; days are those of the zone.
    pub fn new(granularity: Granularity, zone: &Zone) -> Self {
        if granularity.0 == DAY_SECONDS && *zone != Zone::utc() {
            let until = "2200-01-01T00:00:00Z"
                .parse()
                .expect("a literal of the right form");
            let starts = zone.day_starts(Timestamp::MIN, until);
            Self::Days(starts.iter().map(|start| start.as_millis()).collect())
        } else {
            Self::Clock(i64::from(granularity.0) * 1000)
        }
    }

    /// The number of the bucket that holds the instant.
    pub fn index(&self, at: i64) -> i64 {
        match self {
            Self::Clock(width) => at.div_euclid(*width),
            Self::Days(starts) => {
                let after = starts.partition_point(|&start| start <= at);
                i64::try_from(after).expect("few days") - 1
            }
        }
    }

    /// The first instant of the bucket.
    pub fn start(&self, index: i64) -> i64 {
        match self {
            Self::Clock(width) => index * width,
            Self::Days(starts) => {
                let last = starts.len() - 1;
                starts[usize::try_from(index).unwrap_or(0).min(last)]
            }
        }
    }

    /// The first instant of the bucket that holds the instant.
    pub fn floor(&self, at: i64) -> i64 {
        self.start(self.index(at))
    }
}

/// What falls into each bucket: milliseconds, and how many sets have any.
///
/// Sums of curves are curves of sums, so partial results merge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Curve {
    /// The number of the bucket of element 0.
    first: i64,
    /// Milliseconds of spans that begin or end inside the bucket.
    partial: Vec<i64>,
    /// Change in the number of spans that fill the bucket.
    filled: Vec<i64>,
    /// Change in the number of sets that have any instant in the bucket.
    present: Vec<i64>,
}

/// One bucket of a [`Curve`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CurvePoint {
    /// The number of the bucket.
    pub index: i64,
    /// Milliseconds inside the bucket, summed over the sets.
    pub millis: i64,
    /// Sets with at least a millisecond inside the bucket.
    pub sets: i64,
}

impl Curve {
    /// Adds one set, whose spans are ascending and disjoint.
    pub fn add(&mut self, buckets: &Buckets, set: &[Span]) {
        let (Some(first), Some(last)) = (set.first(), set.last()) else {
            return;
        };
        self.cover(buckets.index(first.from())..buckets.index(last.to() - 1) + 1);
        let mut counted_until = i64::MIN;
        for span in set {
            let head = buckets.index(span.from());
            let tail = buckets.index(span.to() - 1);
            if head == tail {
                *self.at(head).0 += span.millis();
            } else {
                *self.at(head).0 += buckets.start(head + 1) - span.from();
                *self.at(tail).0 += span.to() - buckets.start(tail);
                *self.at(head + 1).1 += 1;
                *self.at(tail).1 -= 1;
            }
            // The set counts once a bucket, however many of its spans lie there.
            let uncounted = head.max(counted_until);
            if uncounted <= tail {
                *self.at(uncounted).2 += 1;
                *self.at(tail + 1).2 -= 1;
                counted_until = tail + 1;
            }
        }
    }

    /// Adds everything that the other curve holds.
    pub fn merge(&mut self, other: &Self) {
        if other.partial.is_empty() {
            return;
        }
        self.cover(other.first..other.first + other.buckets());
        for (offset, index) in (0..other.partial.len()).zip(other.first..) {
            let (partial, filled, present) = self.at(index);
            *partial += other.partial[offset];
            *filled += other.filled[offset];
            *present += other.present[offset];
        }
    }

    /// The buckets in which any set has an instant, ascending.
    pub fn points<'a>(&'a self, buckets: &'a Buckets) -> impl Iterator<Item = CurvePoint> + 'a {
        let mut filled = 0;
        let mut present = 0;
        (0..self.partial.len())
            .zip(self.first..)
            .filter_map(move |(offset, index)| {
                filled += self.filled[offset];
                present += self.present[offset];
                let width = || buckets.start(index + 1) - buckets.start(index);
                let full = if filled == 0 { 0 } else { filled * width() };
                (present > 0).then(|| CurvePoint {
                    index,
                    millis: self.partial[offset] + full,
                    sets: present,
                })
            })
    }

    /// The curve as numbers, for [`Curve::decode`].
    pub fn encode(&self) -> impl Iterator<Item = i64> + '_ {
        [self.first]
            .into_iter()
            .chain(self.partial.iter().copied())
            .chain(self.filled.iter().copied())
            .chain(self.present.iter().copied())
    }

    /// The curve that [`Curve::encode`] gave.
    pub fn decode(numbers: &[i64]) -> Self {
        let Some((&first, values)) = numbers.split_first() else {
            return Self::default();
        };
        let length = values.len() / 3;
        Self {
            first,
            partial: values[..length].to_vec(),
            filled: values[length..2 * length].to_vec(),
            present: values[2 * length..].to_vec(),
        }
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        (self.partial.capacity() + self.filled.capacity() + self.present.capacity())
            * size_of::<i64>()
    }

    fn buckets(&self) -> i64 {
        i64::try_from(self.partial.len()).expect("a page of buckets")
    }

    /// Makes room for the buckets, and for the one after, where differences end.
    fn cover(&mut self, wanted: Range<i64>) {
        if self.partial.is_empty() {
            self.first = wanted.start;
        }
        let before = usize::try_from(self.first - wanted.start).unwrap_or(0);
        let after = usize::try_from(wanted.end + 1 - self.first - self.buckets()).unwrap_or(0);
        for values in [&mut self.partial, &mut self.filled, &mut self.present] {
            if before > 0 {
                values.splice(..0, std::iter::repeat_n(0, before));
            }
            values.resize(values.len() + after, 0);
        }
        self.first = self.first.min(wanted.start);
    }

    fn at(&mut self, index: i64) -> (&mut i64, &mut i64, &mut i64) {
        let offset = usize::try_from(index - self.first).expect("covered before");
        (
            &mut self.partial[offset],
            &mut self.filled[offset],
            &mut self.present[offset],
        )
    }
}

/// How many buckets make a page: the unit in which curves are kept.
pub const PAGE_BUCKETS: i64 = 4096;

/// The number of the page that holds the instant.
pub fn page(buckets: &Buckets, at: i64) -> i64 {
    buckets.index(at).div_euclid(PAGE_BUCKETS)
}

/// Divides a set at the edges of pages, so that no curve is longer than a page.
///
/// Returns each page's number with its part of the set, ascending.
pub fn pages(buckets: &Buckets, set: &[Span]) -> Vec<(i64, Vec<Span>)> {
    let mut pages: Vec<(i64, Vec<Span>)> = Vec::new();
    for span in set {
        let mut rest = Some(*span);
        while let Some(span) = rest {
            let first = page(buckets, span.from());
            let last = page(buckets, span.to() - 1);
            let edge = if first == last {
                span.to()
            } else {
                buckets.start((first + 1) * PAGE_BUCKETS)
            };
            if let Some(part) = Span::new(span.from(), edge) {
                match pages.last_mut() {
                    Some((number, parts)) if *number == first => parts.push(part),
                    _ => pages.push((first, vec![part])),
                }
            }
            rest = Span::new(edge, span.to());
        }
    }
    pages
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::span::SpanSet;

    fn sets() -> impl Strategy<Value = Vec<Vec<Span>>> {
        let set = prop::collection::vec((0i64..200_000, 1i64..30_000), 0..12).prop_map(|pairs| {
            let mut set: SpanSet = pairs
                .into_iter()
                .filter_map(|(from, length)| Span::new(from, from + length))
                .collect();
            set.settle().to_vec()
        });
        prop::collection::vec(set, 0..8)
    }

    /// Every bucket by itself: slow and obviously right.
    fn naive(buckets: &Buckets, sets: &[Vec<Span>]) -> BTreeMap<i64, (i64, i64)> {
        let mut points: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
        for set in sets {
            let mut seen: BTreeMap<i64, i64> = BTreeMap::new();
            for span in set {
                for index in buckets.index(span.from())..=buckets.index(span.to() - 1) {
                    let from = span.from().max(buckets.start(index));
                    let to = span.to().min(buckets.start(index + 1));
                    *seen.entry(index).or_default() += to - from;
                }
            }
            for (index, millis) in seen {
                let point = points.entry(index).or_default();
                point.0 += millis;
                point.1 += 1;
            }
        }
        points
    }

    fn curve(buckets: &Buckets, sets: &[Vec<Span>]) -> BTreeMap<i64, (i64, i64)> {
        let mut curve = Curve::default();
        for set in sets {
            curve.add(buckets, set);
        }
        curve
            .points(buckets)
            .map(|point| (point.index, (point.millis, point.sets)))
            .collect()
    }

    proptest! {
        #[test]
        fn a_curve_equals_the_sum_bucket_by_bucket(sets in sets(), seconds in prop::sample::select(vec![1u32, 5, 60, 300])) {
            let buckets = Buckets::new(Granularity::try_from(seconds).expect("offered"), &Zone::utc());
            prop_assert_eq!(curve(&buckets, &sets), naive(&buckets, &sets));
        }

        #[test]
        fn curves_merge_in_any_division(sets in sets(), cut in 0usize..8) {
            let buckets = Buckets::Clock(1000);
            let cut = cut.min(sets.len());
            let mut whole = Curve::default();
            let mut parts = [Curve::default(), Curve::default()];
            for (number, set) in sets.iter().enumerate() {
                whole.add(&buckets, set);
                parts[usize::from(number >= cut)].add(&buckets, set);
            }
            let mut merged = Curve::decode(&parts[1].encode().collect::<Vec<_>>());
            merged.merge(&parts[0]);
            prop_assert!(whole.points(&buckets).eq(merged.points(&buckets)));
        }

        #[test]
        fn pages_lose_nothing(sets in sets()) {
            let buckets = Buckets::Clock(10);
            for set in sets {
                let parts: Vec<Span> = pages(&buckets, &set).into_iter().flat_map(|(_, parts)| parts).collect();
                let mut union: SpanSet = parts.iter().copied().collect();
                prop_assert_eq!(union.settle(), set.as_slice());
                for (page, parts) in pages(&buckets, &set) {
                    for part in parts {
                        prop_assert_eq!(buckets.index(part.from()).div_euclid(PAGE_BUCKETS), page);
                        prop_assert_eq!(buckets.index(part.to() - 1).div_euclid(PAGE_BUCKETS), page);
                    }
                }
            }
        }
    }

    #[test]
    fn days_are_those_of_the_zone() {
        let zone: Zone = "Asia/Taipei".parse().expect("zone");
        let day = Buckets::new(Granularity::try_from(86_400).expect("offered"), &zone);
        let at: Timestamp = "2026-11-22T15:59:59.999Z".parse().expect("time");
        let start = Timestamp::from_millis(day.floor(at.as_millis())).expect("in range");
        assert_eq!(start.to_string(), "2026-11-21T16:00:00.000Z");
        let next = Timestamp::from_millis(day.floor(at.as_millis() + 1)).expect("in range");
        assert_eq!(next.to_string(), "2026-11-22T16:00:00.000Z");
    }
}
