//! [`Concurrency`]: how many viewers watch at an instant, while spans come and go.
//!
//! [`Audience`](crate::sweep::Audience) sorts all edges to find a peak. Here edges are in buckets of
//! a second, each with the sum of its changes and the highest point inside. An instant then costs
//! the number of buckets, and the next instant only those between the two.

use std::collections::BTreeMap;

use crate::span::Span;
use crate::sweep::Peak;

/// The starts and ends of all stretches that viewers watch.
#[derive(Debug, Clone, Default)]
pub struct Concurrency {
    seconds: BTreeMap<i64, Second>,
    /// What is known of all seconds before `summed.until`.
    summed: Summed,
}

/// An end of a stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// A viewer joins.
    Start,
    /// A viewer leaves.
    End,
}

/// The viewers at an instant, and the peak up to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    pub viewers: i64,
    /// `None` if there was no viewer.
    pub peak: Option<Peak>,
}

const SECOND_MS: i64 = 1_000;

impl Concurrency {
    /// Adds a stretch.
    pub fn add(&mut self, stretch: Span) {
        self.push(stretch.from(), Edge::Start, 1);
        self.push(stretch.to(), Edge::End, 1);
    }

    /// Removes a stretch that was added.
    pub fn remove(&mut self, stretch: Span) {
        self.push(stretch.from(), Edge::Start, -1);
        self.push(stretch.to(), Edge::End, -1);
    }

    /// Moves the end of a stretch.
    pub fn move_end(&mut self, from: i64, to: i64) {
        self.push(from, Edge::End, -1);
        self.push(to, Edge::End, 1);
    }

    /// The viewers at an instant, and the peak of all instants up to it.
    pub fn at(&mut self, instant: i64) -> Level {
        let second = instant.div_euclid(SECOND_MS);
        self.sum_until(second);
        let Summed { viewers, peak, .. } = self.summed;
        let mut level = Level { viewers, peak };
        if let Some(partial) = self.seconds.get_mut(&second) {
            let last = offset_of(instant);
            let edges = partial.settle();
            let end = edges.partition_point(|edge| edge.offset() <= last);
            let sum = sum_of(&edges[..end]);
            level.raise(second, sum);
        }
        level
    }

    /// How many stretches have this edge inside the span.
    pub fn count(&mut self, edge: Edge, within: Span) -> i64 {
        let seconds = within.from().div_euclid(SECOND_MS)..=within.to().div_euclid(SECOND_MS);
        let mut count = 0;
        for (second, of_second) in self.seconds.range_mut(seconds) {
            let start = second * SECOND_MS;
            let is_counted = |change: &&Change| {
                let at = start + i64::from(change.offset());
                change.edge() == edge && within.from() <= at && at < within.to()
            };
            let changes = of_second.settle().iter().filter(is_counted);
            count += changes.map(|change| i64::from(change.count)).sum::<i64>();
        }
        count
    }

    /// Bytes on the heap, about.
    pub fn heap_bytes(&self) -> usize {
        let entry = size_of::<(i64, Second)>();
        let seconds = self.seconds.values();
        seconds
            .map(|second| entry + second.changes.capacity() * size_of::<Change>())
            .sum()
    }

    fn push(&mut self, at: i64, edge: Edge, count: i16) {
        let second = at.div_euclid(SECOND_MS);
        if second < self.summed.until {
            self.summed = Summed::default();
        }
        let change = Change::new(offset_of(at), edge, count);
        self.seconds.entry(second).or_default().push(change);
    }

    /// Sums all seconds before this one, from where the last call ended.
    fn sum_until(&mut self, second: i64) {
        if second < self.summed.until {
            self.summed = Summed::default();
        }
        let Summed {
            until,
            viewers,
            peak,
        } = self.summed;
        let mut level = Level { viewers, peak };
        let mut empty = Vec::new();
        for (&number, of_second) in self.seconds.range_mut(until..second) {
            if of_second.settle().is_empty() {
                empty.push(number);
            }
            level.raise(number, of_second.sum);
        }
        for number in empty {
            self.seconds.remove(&number);
        }
        self.summed = Summed {
            until: second,
            viewers: level.viewers,
            peak: level.peak,
        };
    }
}

impl Level {
    /// Adds the changes of a second.
    fn raise(&mut self, second: i64, sum: Sum) {
        let highest = self.viewers + sum.highest;
        if highest > self.peak.map_or(0, |peak| peak.viewers) {
            self.peak = Some(Peak {
                viewers: highest,
                at: second * SECOND_MS + i64::from(sum.highest_at),
            });
        }
        self.viewers += sum.net;
    }
}

fn offset_of(at: i64) -> u16 {
    u16::try_from(at.rem_euclid(SECOND_MS)).expect("less than a second")
}

#[derive(Debug, Clone, Copy)]
struct Summed {
    /// The second after the last one that is summed.
    until: i64,
    viewers: i64,
    peak: Option<Peak>,
}

impl Default for Summed {
    fn default() -> Self {
        Self {
            until: i64::MIN,
            viewers: 0,
            peak: None,
        }
    }
}

/// The changes inside a second.
#[derive(Debug, Clone, Default)]
struct Second {
    /// Up to `settled` ascending by key, without changes that cancel each other.
    changes: Vec<Change>,
    settled: usize,
    /// Of the settled changes.
    sum: Sum,
}

/// What the changes of a second come to.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    net: i64,
    /// The highest point inside, from the level before; 0 if it is never above that.
    highest: i64,
    highest_at: u16,
}

/// So many edges of one kind at one millisecond of a second, in four bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Change {
    /// Twice the offset within the second; one more for an end.
    key: u16,
    count: i16,
}

/// Fewer new changes than this are not sorted yet.
const UNSETTLED_MIN: usize = 64;

impl Second {
    fn push(&mut self, change: Change) {
        self.changes.push(change);
        if self.changes.len() - self.settled > self.settled.max(UNSETTLED_MIN) {
            self.settle();
        }
    }

    /// Sorts the changes and joins those of one key.
    fn settle(&mut self) -> &[Change] {
        if self.settled < self.changes.len() {
            self.changes.sort_unstable_by_key(|change| change.key);
            self.changes.dedup_by(|next, kept| {
                let joined = (next.key == kept.key).then(|| kept.count.checked_add(next.count));
                let joined = joined.flatten();
                kept.count = joined.unwrap_or(kept.count);
                joined.is_some()
            });
            self.changes.retain(|change| change.count != 0);
            // A second in the past has few changes left of the many that extended stretches.
            if self.changes.capacity() > 2 * self.changes.len() {
                self.changes.shrink_to_fit();
            }
            self.settled = self.changes.len();
            self.sum = sum_of(&self.changes);
        }
        &self.changes
    }
}

/// Changes of one millisecond take effect together.
fn sum_of(changes: &[Change]) -> Sum {
    let mut sum = Sum::default();
    for instant in changes.chunk_by(|one, next| one.offset() == next.offset()) {
        sum.net += instant.iter().map(|change| change.net()).sum::<i64>();
        if sum.net > sum.highest {
            sum.highest = sum.net;
            sum.highest_at = instant[0].offset();
        }
    }
    sum
}

impl Change {
    fn new(offset: u16, edge: Edge, count: i16) -> Self {
        let key = 2 * offset + u16::from(edge == Edge::End);
        Self { key, count }
    }

    const fn offset(self) -> u16 {
        self.key / 2
    }

    const fn edge(self) -> Edge {
        if self.key.is_multiple_of(2) {
            Edge::Start
        } else {
            Edge::End
        }
    }

    fn net(self) -> i64 {
        match self.edge() {
            Edge::Start => i64::from(self.count),
            Edge::End => -i64::from(self.count),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Stretches that are added, some of which are removed again, with instants to ask for.
    fn steps() -> impl Strategy<Value = Vec<(i64, i64, bool, i64)>> {
        let from = prop_oneof![-1_500i64..6_000, 0i64..40];
        prop::collection::vec((from, 1i64..2_500, any::<bool>(), -2_000i64..9_000), 1..60)
    }

    fn naive(stretches: &[Span], instant: i64) -> Level {
        let at = |instant| {
            let holds = |span: &&Span| span.from() <= instant && instant < span.to();
            i64::try_from(stretches.iter().filter(holds).count()).expect("few")
        };
        let starts = stretches.iter().map(|span| span.from());
        let mut starts: Vec<i64> = starts.filter(|&from| from <= instant).collect();
        starts.sort_unstable();
        let mut peak: Option<Peak> = None;
        for from in starts {
            if at(from) > peak.map_or(0, |peak| peak.viewers) {
                peak = Some(Peak {
                    viewers: at(from),
                    at: from,
                });
            }
        }
        Level {
            viewers: at(instant),
            peak,
        }
    }

    proptest! {
        #[test]
        fn each_instant_equals_a_count_of_all_stretches(steps in steps()) {
            let mut concurrency = Concurrency::default();
            let mut stretches = Vec::new();
            for (from, length, is_removed, instant) in steps {
                let span = Span::new(from, from + length).expect("a span");
                concurrency.add(span);
                if is_removed {
                    concurrency.remove(span);
                } else {
                    stretches.push(span);
                }
                prop_assert_eq!(concurrency.at(instant), naive(&stretches, instant));
                let within = Span::new(instant, instant + 1_700).expect("a span");
                let is_within = |at: i64| within.from() <= at && at < within.to();
                let starts = stretches.iter().filter(|span| is_within(span.from())).count();
                let ends = stretches.iter().filter(|span| is_within(span.to())).count();
                let counted = [Edge::Start, Edge::End].map(|edge| concurrency.count(edge, within));
                prop_assert_eq!(counted.map(i64::unsigned_abs),
                    [starts as u64, ends as u64]);
            }
        }

        #[test]
        fn a_moved_end_is_that_of_a_longer_stretch(
            from in 0i64..5_000, length in 1i64..3_000, more in 1i64..3_000, instant in 0i64..9_000
        ) {
            let [short, long] = [length, length + more]
                .map(|length| Span::new(from, from + length).expect("a span"));
            let (mut moved, mut added) = (Concurrency::default(), Concurrency::default());
            moved.add(short);
            moved.move_end(short.to(), long.to());
            added.add(long);
            prop_assert_eq!(moved.at(instant), added.at(instant));
        }
    }

    #[test]
    fn more_viewers_than_a_change_can_count_join_at_one_instant() {
        let mut concurrency = Concurrency::default();
        let span = Span::new(5, 1_005).expect("a span");
        for _ in 0..70_000 {
            concurrency.add(span);
        }
        let peak = Some(Peak {
            viewers: 70_000,
            at: 5,
        });
        let viewers = 70_000;
        assert_eq!(concurrency.at(6), Level { viewers, peak });
        assert_eq!(concurrency.at(1_005), Level { viewers: 0, peak });
        assert!(concurrency.heap_bytes() < 1_000);
    }

    #[test]
    fn stretches_that_grow_leave_nothing_behind() {
        let mut concurrency = Concurrency::default();
        for viewer in 0..100 {
            concurrency.add(Span::new(viewer, viewer + 10_000).expect("a span"));
        }
        for beat in 1..200 {
            for viewer in 0..100 {
                let end = viewer + 10_000 * beat;
                concurrency.move_end(end, end + 10_000);
            }
            assert_eq!(concurrency.at(10_000 * beat).viewers, 100);
        }
        assert!(
            concurrency.heap_bytes() < 5_000,
            "{}",
            concurrency.heap_bytes()
        );
    }
}
