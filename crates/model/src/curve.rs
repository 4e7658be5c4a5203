//! How many milliseconds of many sets of spans fall into each bucket of time.
//!
//! A span is stored as changes at its first and its last bucket, so the work does not grow with
//! the number of buckets between them.

use smallvec::SmallVec;

use crate::buckets::Buckets;
use crate::span::Span;

/// A set of spans, as the buckets that each span begins and ends in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spread(SmallVec<[Crossing; 2]>);

/// The buckets of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Crossing {
    head: i64,
    head_millis: i64,
    tail: i64,
    /// 0 if the tail is the head.
    tail_millis: i64,
    /// The first bucket that has no instant of an earlier span of the set.
    uncounted: i64,
}

impl Spread {
    /// The spans must be ascending and disjoint.
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

/// The change of a curve from one bucket to the next. Changes of many sets in the same bucket can
/// be added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Change {
    /// Milliseconds of spans that begin or end inside the bucket.
    pub millis: i64,
    /// Spans that fill this bucket minus those that fill the one before.
    pub filled: i64,
    /// Sets with an instant in this bucket minus those with one in the bucket before.
    pub present: i64,
}

impl Change {
    fn add(&mut self, other: Self) {
        self.millis += other.millis;
        self.filled += other.filled;
        self.present += other.present;
    }
}

impl Spread {
    /// The changes of the set, with the numbers of their buckets, ascending.
    pub fn changes(&self) -> SmallVec<[(i64, Change); 4]> {
        let mut changes: SmallVec<[(i64, Change); 4]> = SmallVec::new();
        let mut change = |index, millis, filled, present| {
            let change = Change {
                millis,
                filled,
                present,
            };
            changes.push((index, change));
        };
        for crossing in &self.0 {
            change(crossing.head, crossing.head_millis, 0, 0);
            if crossing.head < crossing.tail {
                change(crossing.head + 1, 0, 1, 0);
                change(crossing.tail, crossing.tail_millis, -1, 0);
            }
            // A set counts once in a bucket, also with several spans there.
            if crossing.uncounted <= crossing.tail {
                change(crossing.uncounted, 0, 0, 1);
                change(crossing.tail + 1, 0, 0, -1);
            }
        }
        changes.sort_by_key(|&(index, _)| index);
        changes.dedup_by(|(index, next), (kept_index, kept)| {
            let is_same = index == kept_index;
            if is_same {
                kept.add(*next);
            }
            is_same
        });
        changes.retain(|(_, change)| *change != Change::default());
        changes
    }
}

/// The height of a curve in one bucket, followed from bucket to bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Level(Change);

impl Level {
    /// Adds the change of this bucket.
    pub fn add(&mut self, change: Change) {
        self.0.add(change);
    }

    /// Moves on to the next bucket.
    pub fn step(&mut self) {
        self.0.millis = 0;
    }

    /// Sets with at least a millisecond inside the bucket.
    pub const fn sets(&self) -> i64 {
        self.0.present
    }

    /// Milliseconds inside the bucket, summed over the sets. `width` is that of the bucket.
    pub const fn millis(&self, width: i64) -> i64 {
        self.0.millis + self.0.filled * width
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

    /// The reference: every bucket by itself.
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
        let mut changes: BTreeMap<i64, Change> = BTreeMap::new();
        for set in sets {
            let of_set = Spread::new(buckets, set).changes();
            assert!(of_set.is_sorted_by(|(one, _), (next, _)| one < next));
            for (index, change) in of_set {
                changes.entry(index).or_default().add(change);
            }
        }
        let Some((&first, _)) = changes.first_key_value() else {
            return BTreeMap::new();
        };
        let (&last, _) = changes.last_key_value().expect("there is a first");
        let mut level = Level::default();
        let mut points = BTreeMap::new();
        for index in first..=last {
            level.add(changes.get(&index).copied().unwrap_or_default());
            let width = buckets.start(index + 1) - buckets.start(index);
            if level.sets() > 0 {
                points.insert(index, (level.millis(width), level.sets()));
            }
            level.step();
        }
        assert_eq!(level, Level::default(), "what begins ends");
        points
    }

    proptest! {
        #[test]
        fn a_curve_equals_the_sum_bucket_by_bucket(
            sets in sets(),
            seconds in prop::sample::select(vec![1u32, 5, 60, 300]),
        ) {
            let granularity = Granularity::try_from(seconds).expect("offered");
            let buckets = Buckets::new(granularity, &Zone::utc());
            prop_assert_eq!(curve(&buckets, &sets), naive(&buckets, &sets));
        }
    }
}
