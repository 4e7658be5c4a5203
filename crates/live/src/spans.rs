//! [`Spans`]: a set of milliseconds that reports which stretches a change adds and removes.

use showreport_model::Span;
use showreport_model::concurrency::Concurrency;

/// Stretches: ascending, disjoint and not touching.
///
/// The last one is apart, because nearly all changes and questions are about it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spans {
    earlier: Vec<Span>,
    last: Option<Span>,
}

/// Receives the changes of stretches.
pub(crate) trait Edges {
    fn add(&mut self, stretch: Span);
    fn remove(&mut self, stretch: Span);
    fn move_end(&mut self, from: i64, to: i64);
}

impl Edges for Concurrency {
    fn add(&mut self, stretch: Span) {
        Self::add(self, stretch);
    }

    fn remove(&mut self, stretch: Span) {
        Self::remove(self, stretch);
    }

    fn move_end(&mut self, from: i64, to: i64) {
        Self::move_end(self, from, to);
    }
}

/// Ignores the changes.
pub(crate) struct Ignored;

impl Edges for Ignored {
    fn add(&mut self, _: Span) {}
    fn remove(&mut self, _: Span) {}
    fn move_end(&mut self, _: i64, _: i64) {}
}

impl Spans {
    /// Adds the milliseconds of a span.
    pub(crate) fn insert(&mut self, span: Span, edges: &mut impl Edges) {
        let Some(last) = self.last else {
            self.last = Some(span);
            edges.add(span);
            return;
        };
        if span.from() > last.to() {
            self.earlier.push(last);
            self.last = Some(span);
            edges.add(span);
        } else if span.from() >= last.from() {
            if span.to() > last.to() {
                self.last = Some(last.hull(span));
                edges.move_end(last.to(), span.to());
            }
        } else {
            self.insert_before(last, span, edges);
        }
    }

    /// Adds a span that begins before the last stretch.
    fn insert_before(&mut self, last: Span, span: Span, edges: &mut impl Edges) {
        self.earlier.push(last);
        let first = self.earlier.partition_point(|it| it.to() < span.from());
        let end = self.earlier.partition_point(|it| it.from() <= span.to());
        let met = &self.earlier[first..end];
        let merged = met.iter().fold(span, |merged, it| merged.hull(*it));
        if met != [merged] {
            for stretch in met {
                edges.remove(*stretch);
            }
            edges.add(merged);
            self.earlier.splice(first..end, [merged]);
        }
        self.last = self.earlier.pop();
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Span> + '_ {
        self.earlier.iter().copied().chain(self.last)
    }

    /// Whether an instant lies inside.
    pub(crate) fn holds(&self, instant: i64) -> bool {
        self.meets(instant, instant + 1)
    }

    /// Whether any millisecond of `[from, to)` lies inside.
    pub(crate) fn meets(&self, from: i64, to: i64) -> bool {
        self.last.is_some_and(|last| {
            last.to() > from && (last.from() < to || self.earlier_meets(from, to))
        })
    }

    fn earlier_meets(&self, from: i64, to: i64) -> bool {
        let first = self.earlier.partition_point(|it| it.to() <= from);
        self.earlier.get(first).is_some_and(|it| it.from() < to)
    }

    /// Bytes on the heap.
    pub(crate) const fn heap_bytes(&self) -> usize {
        self.earlier.capacity() * size_of::<Span>()
    }
}

impl FromIterator<Span> for Spans {
    fn from_iter<I: IntoIterator<Item = Span>>(spans: I) -> Self {
        let mut set = Self::default();
        for span in spans {
            set.insert(span, &mut Ignored);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use showreport_model::SpanSet;

    use super::*;

    /// The stretches that were added and not removed.
    #[derive(Default)]
    struct Seen(BTreeSet<Span>);

    impl Edges for Seen {
        fn add(&mut self, stretch: Span) {
            assert!(self.0.insert(stretch), "it is added once");
        }

        fn remove(&mut self, stretch: Span) {
            assert!(self.0.remove(&stretch), "it was added");
        }

        fn move_end(&mut self, from: i64, to: i64) {
            let moved = self.0.iter().find(|it| it.to() == from).copied();
            let moved = moved.expect("it was added");
            self.remove(moved);
            self.add(Span::new(moved.from(), to).expect("longer"));
        }
    }

    proptest! {
        #[test]
        fn the_stretches_are_those_of_the_union_and_each_change_is_reported(
            pairs in prop::collection::vec((0i64..200, 1i64..20), 0..40),
            asked in (0i64..220, 1i64..30),
        ) {
            let (mut spans, mut seen, mut set) = (Spans::default(), Seen::default(), SpanSet::new());
            for (from, length) in pairs {
                let span = Span::new(from, from + length).expect("a span");
                spans.insert(span, &mut seen);
                set.insert(span);
                let wanted = set.settle();
                prop_assert!(spans.iter().eq(wanted.iter().copied()));
                prop_assert!(seen.0.iter().eq(wanted));
            }
            let (from, to) = (asked.0, asked.0 + asked.1);
            let meets = set.settle().iter().any(|it| it.from() < to && from < it.to());
            prop_assert_eq!(spans.meets(from, to), meets);
        }
    }
}
