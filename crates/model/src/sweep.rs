//! The true maximum of viewers at one instant, found by sweeping over all edges.

use crate::span::Span;

/// The highest number of viewers at one instant, and the first instant that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peak {
    /// Viewers at that instant.
    pub viewers: i64,
    /// The instant, in milliseconds since 1970.
    pub at: i64,
}

/// Where the number of concurrent viewers changes, and by how much.
///
/// Sums of audiences are audiences, so partial results merge.
#[derive(Debug, Clone, Default)]
pub struct Audience {
    /// (instant, change), in order up to `settled`, one entry an instant there.
    edges: Vec<(i64, i64)>,
    settled: usize,
}

/// Below this many unsettled edges a merge is not worth its sort.
const UNSETTLED_MIN: usize = 256;

impl Audience {
    /// Adds one viewer, whose spans are disjoint.
    pub fn add(&mut self, viewer: &[Span]) {
        for span in viewer {
            self.push(span.from(), 1);
            self.push(span.to(), -1);
        }
    }

    /// Adds a change, as another audience's [`Audience::settle`] gave it.
    pub fn push(&mut self, at: i64, change: i64) {
        self.edges.push((at, change));
        if self.edges.len() - self.settled > self.settled.max(UNSETTLED_MIN) {
            self.settle();
        }
    }

    /// The changes: ascending, one an instant.
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

    /// The peak, or nothing where nobody watched.
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
            viewers in prop::collection::vec(prop::collection::vec((0i64..200, 1i64..40), 0..5), 0..12)
        ) {
            let mut sets: Vec<SpanSet> = viewers
                .into_iter()
                .map(|pairs| pairs.into_iter().filter_map(|(from, length)| Span::new(from, from + length)).collect())
                .collect();
            let mut audience = Audience::default();
            for set in &mut sets {
                audience.add(set.settle());
            }
            let at = |instant: i64| sets.iter().filter(|set| {
                (*set).clone().settle().iter().any(|span| span.from() <= instant && instant < span.to())
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
