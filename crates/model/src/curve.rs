//! How much of sets of spans falls into each bucket of time.
//!
//! A span adds to its first and its last bucket, and to differences between
//! neighbours, so the work does not grow with the number of buckets it crosses.

use std::ops::Range;

use smallvec::SmallVec;

use crate::buckets::Buckets;
use crate::span::Span;

/// A set of spans as it lies in buckets: worked out once, added to any number of curves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spread(SmallVec<[Crossing; 2]>);

/// The buckets of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Crossing {
    head: i64,
    head_millis: i64,
    tail: i64,
    /// None, if the tail is the head.
    tail_millis: i64,
    /// The first bucket in which no earlier span of the set lies.
    uncounted: i64,
}

impl Spread {
    /// Of a set whose spans are ascending and disjoint.
    pub fn new(buckets: &Buckets, set: &[Span]) -> Self {
        let mut counted_until = i64::MIN;
        let crossing = |span: &Span| {
            let head = buckets.index(span.from());
            let tail = buckets.index(span.to() - 1);
            let (head_millis, tail_millis) = if head == tail {
                (span.millis(), 0)
            } else {
                let (second, last) = (buckets.start(head + 1), buckets.start(tail));
                (second - span.from(), span.to() - last)
            };
            let uncounted = head.max(counted_until);
            counted_until = tail + 1;
            Crossing {
                head,
                head_millis,
                tail,
                tail_millis,
                uncounted,
            }
        };
        Self(set.iter().map(crossing).collect())
    }
}

/// What falls into each bucket: milliseconds, and how many sets have any.
///
/// Sums of curves are curves of sums, so partial results merge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Curve {
    /// The number of the bucket of element 0.
    first: i64,
    changes: Vec<Change>,
}

/// What a bucket adds to the curve.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Change {
    /// Milliseconds of spans that begin or end inside the bucket.
    millis: i64,
    /// Spans that fill this bucket less those that fill the one before.
    filled: i64,
    /// Sets that have any instant in this bucket less those in the one before.
    present: i64,
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
    /// Adds one set.
    pub fn add(&mut self, Spread(crossings): &Spread) {
        let (Some(first), Some(last)) = (crossings.first(), crossings.last()) else {
            return;
        };
        self.cover(first.head..last.tail + 1);
        for crossing in crossings {
            self.at(crossing.head).millis += crossing.head_millis;
            if crossing.head < crossing.tail {
                self.at(crossing.head + 1).filled += 1;
                let tail = self.at(crossing.tail);
                tail.millis += crossing.tail_millis;
                tail.filled -= 1;
            }
            // The set counts once a bucket, however many of its spans lie there.
            if crossing.uncounted <= crossing.tail {
                self.at(crossing.uncounted).present += 1;
                self.at(crossing.tail + 1).present -= 1;
            }
        }
    }

    /// Adds everything that the other curve holds.
    pub fn merge(&mut self, other: &Self) {
        if other.changes.is_empty() {
            return;
        }
        // The last change only ends what was; the bucket itself is empty.
        self.cover(other.first..other.first + other.buckets() - 1);
        for (change, index) in other.changes.iter().zip(other.first..) {
            let merged = self.at(index);
            merged.millis += change.millis;
            merged.filled += change.filled;
            merged.present += change.present;
        }
    }

    /// The buckets in which any set has an instant, ascending.
    pub fn points<'a>(&'a self, buckets: &'a Buckets) -> impl Iterator<Item = CurvePoint> + 'a {
        let mut filled = 0;
        let mut present = 0;
        let changes = self.changes.iter().zip(self.first..);
        changes.filter_map(move |(change, index)| {
            filled += change.filled;
            present += change.present;
            let width = || buckets.start(index + 1) - buckets.start(index);
            let full = if filled == 0 { 0 } else { filled * width() };
            (present > 0).then(|| CurvePoint {
                index,
                millis: change.millis + full,
                sets: present,
            })
        })
    }

    /// The curve as numbers, for [`Curve::decode`].
    pub fn encode(&self) -> impl Iterator<Item = i64> + '_ {
        let numbers = |change: &Change| [change.millis, change.filled, change.present];
        let changes = self.changes.iter().flat_map(numbers);
        std::iter::once(self.first).chain(changes)
    }

    /// The curve that [`Curve::encode`] gave.
    pub fn decode(numbers: &[i64]) -> Self {
        let Some((&first, values)) = numbers.split_first() else {
            return Self::default();
        };
        let (changes, _) = values.as_chunks();
        let change = |&[millis, filled, present]: &[i64; 3]| Change {
            millis,
            filled,
            present,
        };
        Self {
            first,
            changes: changes.iter().map(change).collect(),
        }
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.changes.capacity() * size_of::<Change>()
    }

    fn buckets(&self) -> i64 {
        i64::try_from(self.changes.len()).expect("a page of buckets")
    }

    /// Makes room for the buckets, and for the one after, where differences end.
    fn cover(&mut self, wanted: Range<i64>) {
        if self.changes.is_empty() {
            self.first = wanted.start;
        }
        let before = usize::try_from(self.first - wanted.start).unwrap_or(0);
        let after = usize::try_from(wanted.end + 1 - self.first - self.buckets()).unwrap_or(0);
        if before > 0 {
            let none = std::iter::repeat_n(Change::default(), before);
            self.changes.splice(..0, none);
            self.first = wanted.start;
        }
        if after > 0 {
            let length = self.changes.len() + after;
            self.changes.resize(length, Change::default());
        }
    }

    fn at(&mut self, index: i64) -> &mut Change {
        let offset = usize::try_from(index - self.first).expect("covered before");
        &mut self.changes[offset]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::buckets::Granularity;
    use crate::span::testing::sets;
    use crate::time::Zone;

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
            curve.add(&Spread::new(buckets, set));
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
                let spread = Spread::new(&buckets, set);
                whole.add(&spread);
                parts[usize::from(number >= cut)].add(&spread);
            }
            let mut merged = Curve::decode(&parts[1].encode().collect::<Vec<_>>());
            merged.merge(&parts[0]);
            prop_assert!(whole.points(&buckets).eq(merged.points(&buckets)));
        }
    }
}
