//! Spans of playing time and their algebra: union, clip, measure.
//!
//! Everything is exact: integers, half-open, no sampling. A [`SpanSet`] does
//! not depend on the order, number or division of the spans it was made of.

use smallvec::SmallVec;

use crate::time::Timestamp;

/// Half-open `[from, to)` in milliseconds since 1970; never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    from: i64,
    to: i64,
}

impl Span {
    /// The span, or nothing if it does not end after it begins.
    pub fn new(from: i64, to: i64) -> Option<Self> {
        (from < to).then_some(Self { from, to })
    }

    /// The first millisecond inside.
    pub const fn from(self) -> i64 {
        self.from
    }

    /// The first millisecond after.
    pub const fn to(self) -> i64 {
        self.to
    }

    /// Its length in milliseconds.
    pub const fn millis(self) -> i64 {
        self.to - self.from
    }

    /// The least span that holds both.
    #[must_use]
    pub fn hull(self, other: Self) -> Self {
        Self {
            from: self.from.min(other.from),
            to: self.to.max(other.to),
        }
    }

    /// The least span of whole hours that holds it.
    #[must_use]
    pub const fn in_hours(self) -> Self {
        Self {
            from: self.from.div_euclid(MILLIS_PER_HOUR) * MILLIS_PER_HOUR,
            to: (self.to - 1).div_euclid(MILLIS_PER_HOUR) * MILLIS_PER_HOUR + MILLIS_PER_HOUR,
        }
    }
}

const MILLIS_PER_HOUR: i64 = 3_600_000;

/// A filter in time: `[start, end)`, either end open where it is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Window {
    /// The first instant inside.
    pub start: Option<Timestamp>,
    /// The first instant after.
    pub end: Option<Timestamp>,
}

impl Window {
    /// Everything.
    pub const ALL: Self = Self {
        start: None,
        end: None,
    };

    /// Whether some instant can lie inside.
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

/// A set of instants, kept as few spans.
///
/// Spans that come in order merge at once, which is how players send them.
/// Others are kept aside and merged when they have doubled the set, so that
/// repetitions cost no memory. A set of one span, which is what most views
/// are, needs no heap.
#[derive(Debug, Clone, Default)]
pub struct SpanSet {
    spans: SmallVec<[Span; 1]>,
    /// How many spans lead in order, disjoint and not touching.
    settled: usize,
}

/// Below this many unsettled spans a merge is not worth its sort.
const UNSETTLED_MIN: usize = 32;

impl SpanSet {
    /// The empty set.
    pub const fn new() -> Self {
        Self {
            spans: SmallVec::new_const(),
            settled: 0,
        }
    }

    /// Adds every instant of the span.
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

    /// Adds every instant of the other set.
    pub fn extend(&mut self, spans: impl IntoIterator<Item = Span>) {
        for span in spans {
            self.insert(span);
        }
    }

    /// Merges what is kept aside, and returns the spans: ascending, disjoint and not touching.
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

/// The milliseconds of spans that are disjoint.
pub fn measure(disjoint: &[Span]) -> i64 {
    disjoint.iter().map(|span| span.millis()).sum()
}

#[cfg(test)]
pub(crate) mod testing {
    use proptest::prelude::*;

    use super::{Span, SpanSet};

    /// Some sets of spans, each ascending and disjoint.
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

    /// The set as a set of milliseconds: slow and obviously right.
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
                spans.iter().map(moved).filter_map(|span| window.clip(span)).collect::<SpanSet>().measure()
            };
            prop_assert_eq!(sum(before) + sum(after), sum(Window::ALL));
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
