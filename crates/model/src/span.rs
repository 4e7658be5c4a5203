//! Spans of playing time and their algebra: union, clip, measure.
//!
//! All arithmetic is on integers and exact. A [`SpanSet`] does not depend on the order in which
//! spans were added, on repetitions, or on where they were divided.

use smallvec::SmallVec;

use crate::time::Timestamp;

/// Half-open `[from, to)` in milliseconds since 1970; never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    from: i64,
    to: i64,
}

impl Span {
    /// `None` unless `from < to`.
    pub fn new(from: i64, to: i64) -> Option<Self> {
        (from < to).then_some(Self { from, to })
    }

    /// The first millisecond inside.
    pub const fn from(self) -> i64 {
        self.from
    }

    /// The first millisecond after the end.
    pub const fn to(self) -> i64 {
        self.to
    }

    /// Its length in milliseconds.
    pub const fn millis(self) -> i64 {
        self.to - self.from
    }

    /// The smallest span that contains both.
    #[must_use]
    pub fn hull(self, other: Self) -> Self {
        Self {
            from: self.from.min(other.from),
            to: self.to.max(other.to),
        }
    }

    /// The smallest span of whole hours that contains it.
    #[must_use]
    pub const fn in_hours(self) -> Self {
        Self {
            from: self.from.div_euclid(MILLIS_PER_HOUR) * MILLIS_PER_HOUR,
            to: (self.to - 1).div_euclid(MILLIS_PER_HOUR) * MILLIS_PER_HOUR + MILLIS_PER_HOUR,
        }
    }
}

const MILLIS_PER_HOUR: i64 = 3_600_000;

/// A filter in time: `[start, end)`, without a bound where it is `None`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize,
)]
pub struct Window {
    pub start: Option<Timestamp>,
    pub end: Option<Timestamp>,
}

impl Window {
    /// Has no bounds.
    pub const ALL: Self = Self {
        start: None,
        end: None,
    };

    /// Whether it contains any instant.
    pub fn is_possible(self) -> bool {
        match (self.start, self.end) {
            (Some(start), Some(end)) => start < end,
            _ => true,
        }
    }

    /// The part of the span that lies inside.
    pub fn clip(self, span: Span) -> Option<Span> {
        let start = self.start.map_or(i64::MIN, Timestamp::as_millis);
        let end = self.end.map_or(i64::MAX, Timestamp::as_millis);
        Span::new(span.from.max(start), span.to.min(end))
    }

    /// Whether the instant lies inside.
    pub fn holds(self, at: Timestamp) -> bool {
        self.start.is_none_or(|start| start <= at) && self.end.is_none_or(|end| at < end)
    }
}

/// A set of milliseconds, stored as disjoint spans.
///
/// A span that continues the last one is merged at once: players send spans in order. Other spans
/// are appended and merged once their number has doubled the set, so repetitions take no memory.
/// A set of one span, as of most views, needs no heap.
#[derive(Debug, Clone, Default)]
pub struct SpanSet {
    spans: SmallVec<[Span; 1]>,
    /// Length of the prefix of `spans` that is ascending, disjoint and not touching.
    settled: usize,
}

/// Fewer unsettled spans than this are not sorted and merged yet.
const UNSETTLED_MIN: usize = 32;

impl SpanSet {
    /// The empty set.
    pub const fn new() -> Self {
        Self {
            spans: SmallVec::new_const(),
            settled: 0,
        }
    }

    /// Adds the milliseconds of a span.
    #[inline]
    pub fn insert(&mut self, span: Span) {
        if self.settled == self.spans.len() {
            match self.spans.last_mut() {
                Some(last) if span.from >= last.from && span.from <= last.to => {
                    last.to = last.to.max(span.to);
                    return;
                }
                Some(last) if span.from < last.from => {}
                _ => {
                    self.spans.push(span);
                    self.settled += 1;
                    return;
                }
            }
        }
        self.spans.push(span);
        if self.spans.len() - self.settled > self.settled.max(UNSETTLED_MIN) {
            self.settle();
        }
    }

    /// Adds the milliseconds of many spans.
    pub fn extend(&mut self, spans: impl IntoIterator<Item = Span>) {
        for span in spans {
            self.insert(span);
        }
    }

    /// Merges all spans and returns them: ascending, disjoint and not touching.
    pub fn settle(&mut self) -> &[Span] {
        if self.settled < self.spans.len() {
            self.spans.sort_unstable();
            let mut kept = 0;
            for next in 1..self.spans.len() {
                let span = self.spans[next];
                if span.from <= self.spans[kept].to {
                    self.spans[kept].to = self.spans[kept].to.max(span.to);
                } else {
                    kept += 1;
                    self.spans[kept] = span;
                }
            }
            self.spans.truncate(kept + 1);
            self.settled = self.spans.len();
        }
        &self.spans
    }

    /// The number of milliseconds in the set.
    pub fn measure(&mut self) -> i64 {
        measure(self.settle())
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        if self.spans.spilled() {
            self.spans.capacity() * size_of::<Span>()
        } else {
            0
        }
    }
}

impl FromIterator<Span> for SpanSet {
    fn from_iter<I: IntoIterator<Item = Span>>(spans: I) -> Self {
        let mut set = Self::new();
        set.extend(spans);
        set
    }
}

/// The number of milliseconds in disjoint spans.
pub fn measure(disjoint: &[Span]) -> i64 {
    disjoint.iter().map(|span| span.millis()).sum()
}

/// Joins spans that are at most this far apart. They are ascending and disjoint.
///
/// Whether gaps are closed before or after a union does not matter, if they are closed at the end.
pub fn close_gaps(disjoint: &[Span], gap_max: i64) -> Vec<Span> {
    let mut closed: Vec<Span> = Vec::with_capacity(disjoint.len());
    for span in disjoint {
        match closed.last_mut() {
            Some(last) if span.from - last.to <= gap_max => last.to = span.to,
            _ => closed.push(*span),
        }
    }
    closed
}

#[cfg(test)]
pub(crate) mod testing {
    use proptest::prelude::*;

    use super::{Span, SpanSet};

    /// Sets of spans, each ascending and disjoint.
    pub(crate) fn sets() -> impl Strategy<Value = Vec<Vec<Span>>> {
        let set = prop::collection::vec((0i64..200_000, 1i64..30_000), 0..12).prop_map(|pairs| {
            let mut set: SpanSet = pairs
                .into_iter()
                .filter_map(|(from, length)| Span::new(from, from + length))
                .collect();
            set.settle().to_vec()
        });
        prop::collection::vec(set, 0..8)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn spans() -> impl Strategy<Value = Vec<Span>> {
        prop::collection::vec((0i64..300, 1i64..30), 0..120).prop_map(|pairs| {
            pairs
                .into_iter()
                .filter_map(|(from, length)| Span::new(from, from + length))
                .collect()
        })
    }

    /// The reference: every millisecond by itself.
    fn instants(spans: &[Span]) -> BTreeSet<i64> {
        spans.iter().flat_map(|span| span.from..span.to).collect()
    }

    proptest! {
        #[test]
        fn a_union_holds_just_the_instants_of_its_spans(spans in spans()) {
            let mut set: SpanSet = spans.iter().copied().collect();
            prop_assert_eq!(instants(set.settle()), instants(&spans));
            prop_assert_eq!(set.measure(), i64::try_from(instants(&spans).len()).expect("small"));
        }

        #[test]
        fn a_settled_union_is_ascending_and_has_gaps(spans in spans()) {
            let mut set: SpanSet = spans.into_iter().collect();
            prop_assert!(set.settle().windows(2).all(|pair| pair[0].to < pair[1].from));
        }

        #[test]
        fn order_repetition_and_division_change_nothing(spans in spans(), seed in 0usize..120) {
            let mut whole: SpanSet = spans.iter().copied().collect();
            let split = seed.min(spans.len());
            let mut shuffled = SpanSet::new();
            shuffled.extend(spans[split..].iter().rev().copied());
            shuffled.extend(spans[..split].iter().copied());
            shuffled.extend(spans.iter().copied());
            prop_assert_eq!(whole.settle(), shuffled.settle());
        }

        #[test]
        fn a_cut_filter_adds_up(spans in spans(), cut in 0i64..330) {
            let at = Timestamp::MIN.saturating_add_millis(cut);
            let moved = |span: &Span| Span::new(
                span.from + Timestamp::MIN.as_millis(),
                span.to + Timestamp::MIN.as_millis(),
            ).expect("not empty");
            let before = Window { start: None, end: Some(at) };
            let after = Window { start: Some(at), end: None };
            let sum = |window: Window| {
                let clipped = spans.iter().map(moved).filter_map(|span| window.clip(span));
                clipped.collect::<SpanSet>().measure()
            };
            prop_assert_eq!(sum(before) + sum(after), sum(Window::ALL));
        }
    }

    proptest! {
        #[test]
        fn closing_gaps_commutes_with_union(
            one in spans(),
            other in spans(),
            gap_max in 0i64..40,
        ) {
            let closed = |spans: &[Span]| {
                close_gaps(spans.iter().copied().collect::<SpanSet>().settle(), gap_max)
            };
            let both: Vec<Span> = one.iter().chain(&other).copied().collect();
            let first = [closed(&one), closed(&other)].concat();
            prop_assert_eq!(closed(&first), closed(&both));
        }

        #[test]
        fn closed_gaps_are_those_of_at_most_the_given_length(
            spans in spans(),
            gap_max in 0i64..40,
        ) {
            let mut set: SpanSet = spans.into_iter().collect();
            let closed = close_gaps(set.settle(), gap_max);
            prop_assert!(closed.windows(2).all(|pair| pair[1].from - pair[0].to > gap_max));
            let gaps = set.settle().windows(2).map(|pair| pair[1].from - pair[0].to);
            let filled: i64 = gaps.filter(|gap| *gap <= gap_max).sum();
            prop_assert_eq!(measure(&closed), set.measure() + filled);
        }
    }

    #[test]
    fn repetitions_cost_no_memory() {
        let mut set = SpanSet::new();
        for round in 0..10_000 {
            set.insert(Span::new(round % 7 * 10, round % 7 * 10 + 5).expect("span"));
        }
        assert!(
            set.spans.len() <= 7 + UNSETTLED_MIN + 1,
            "{}",
            set.spans.len()
        );
    }
}
