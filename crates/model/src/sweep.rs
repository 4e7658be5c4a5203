//! The maximum number of concurrent viewers, found by a sweep over all starts and ends.

use crate::span::Span;

/// The maximum number of concurrent viewers, and the first instant that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peak {
    pub viewers: i64,
    /// Milliseconds since 1970.
    pub at: i64,
}

/// The changes of the number of concurrent viewers. Those of many parts can be merged by
/// [`Audience::push`].
#[derive(Debug, Clone, Default)]
pub struct Audience {
    /// (instant, change). Up to `settled` ascending, with one entry for each instant.
    edges: Vec<(i64, i64)>,
    settled: usize,
}

/// Fewer unsettled edges than this are not sorted and merged yet.
const UNSETTLED_MIN: usize = 256;

impl Audience {
    /// Adds a viewer. The spans must be disjoint.
    pub fn add(&mut self, viewer: &[Span]) {
        for span in viewer {
            self.push(span.from(), 1);
            self.push(span.to(), -1);
        }
    }

    /// Adds a change that [`Audience::settle`] of another audience returned.
    pub fn push(&mut self, at: i64, change: i64) {
        self.edges.push((at, change));
        if self.edges.len() - self.settled > self.settled.max(UNSETTLED_MIN) {
            self.settle();
        }
    }

    /// The changes, ascending, with one entry for each instant.
    pub fn settle(&mut self) -> &[(i64, i64)] {
        if self.settled < self.edges.len() {
            self.edges.sort_unstable_by_key(|&(at, _)| at);
            self.edges.dedup_by(|next, kept| {
                let same = next.0 == kept.0;
                if same {
                    kept.1 += next.1;
                }
                same
            });
            self.edges.retain(|&(_, change)| change != 0);
            self.settled = self.edges.len();
        }
        &self.edges
    }

    /// `None` if there is no viewer.
    pub fn peak(&mut self) -> Option<Peak> {
        let mut now = 0;
        let mut peak: Option<Peak> = None;
        for &(at, change) in self.settle() {
            now += change;
            if now > peak.map_or(0, |peak| peak.viewers) {
                peak = Some(Peak { viewers: now, at });
            }
        }
        peak
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.edges.capacity() * size_of::<(i64, i64)>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::span::SpanSet;

    proptest! {
        #[test]
        fn the_peak_is_the_maximum_over_all_instants(
            viewers in prop::collection::vec(
                prop::collection::vec((0i64..200, 1i64..40), 0..5),
                0..12,
            )
        ) {
            let span = |(from, length)| Span::new(from, from + length);
            let set = |pairs: Vec<(i64, i64)>| pairs.into_iter().filter_map(span).collect();
            let mut sets: Vec<SpanSet> = viewers.into_iter().map(set).collect();
            let mut audience = Audience::default();
            for set in &mut sets {
                audience.add(set.settle());
            }
            let holds = |span: &Span, instant| span.from() <= instant && instant < span.to();
            let at = |instant: i64| sets.iter().filter(|set| {
                (*set).clone().settle().iter().any(|span| holds(span, instant))
            }).count();
            let naive = (0..250).map(at).max().unwrap_or(0);
            let first = (0..250).find(|&instant| at(instant) == naive);
            match audience.peak() {
                None => prop_assert_eq!(naive, 0),
                Some(peak) => {
                    prop_assert_eq!(usize::try_from(peak.viewers).expect("positive"), naive);
                    prop_assert_eq!(Some(peak.at), first);
                }
            }
        }
    }
}
