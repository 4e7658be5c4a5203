//! Retention: how many views and viewers have played each part of the content.

use crate::buckets::Granularity;
use crate::span::{Span, SpanSet};

/// The most buckets of a retention curve.
pub const BUCKETS_MAX: u64 = 100_000;

/// The content would have more than [`BUCKETS_MAX`] buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the content, of {length_ms} ms, has more than {BUCKETS_MAX} buckets of this width; ask for \
     wider ones by granularity_seconds"
)]
pub struct TooManyBuckets {
    pub length_ms: i64,
}

/// How the content of an event is divided into buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Division {
    /// Into buckets of this width; the last one may be shorter.
    Width(Granularity),
    /// Into this many buckets, as equal as whole milliseconds allow. At most [`BUCKETS_MAX`].
    Count(u32),
}

/// Buckets of the media axis, from 0 to the length of the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentBuckets {
    length: i64,
    division: Division,
    count: usize,
}

impl ContentBuckets {
    /// Content without a length has no buckets.
    pub fn new(length_ms: i64, division: Division) -> Result<Self, TooManyBuckets> {
        let length = length_ms.max(0);
        let count = match division {
            Division::Width(width) => length.unsigned_abs().div_ceil(width_ms(width).into()),
            Division::Count(count) if length > 0 => count.into(),
            Division::Count(_) => 0,
        };
        if count > BUCKETS_MAX {
            return Err(TooManyBuckets { length_ms: length });
        }
        Ok(Self {
            length,
            division,
            count: usize::try_from(count).expect("the bound fits"),
        })
    }

    /// The first millisecond of a bucket. That of the bucket after the last one is the length.
    fn start(&self, index: usize) -> i64 {
        let (index, length) = (index as i128, i128::from(self.length));
        let start = match self.division {
            Division::Width(width) => (index * i128::from(width_ms(width))).min(length),
            Division::Count(count) => index * length / i128::from(count),
        };
        i64::try_from(start).expect("it is at most the length")
    }

    /// The bucket that holds a millisecond of the content.
    fn index(&self, at: i64) -> usize {
        let index = match self.division {
            Division::Width(width) => i128::from(at) / i128::from(width_ms(width)),
            // The last bucket that begins at or before `at`. Those before it that begin at the same
            // millisecond are empty.
            Division::Count(count) => {
                ((i128::from(at) + 1) * i128::from(count) - 1) / i128::from(self.length)
            }
        };
        usize::try_from(index).expect("the millisecond lies inside the content")
    }
}

fn width_ms(width: Granularity) -> u32 {
    width.seconds() * 1_000
}

/// A bucket of the content with its figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionRow {
    /// The first millisecond of the bucket.
    pub position_ms: i64,
    /// Views that have played any millisecond of the bucket.
    pub views: i64,
    /// Viewers with such a view.
    pub viewers: i64,
    /// These viewers by all viewers that have played any content, in ten-thousandths, floored;
    /// `None` if there are none.
    pub share: Option<i32>,
}

impl RetentionRow {
    /// The share as a number between 0 and 1, with four decimals.
    pub fn share(&self) -> Option<f64> {
        self.share.map(|share| f64::from(share) / 10_000.0)
    }
}

/// Counts the views and viewers of each bucket. Memory does not grow with the number of views.
#[derive(Debug, Clone)]
pub struct Retention {
    buckets: ContentBuckets,
    views: Curve,
    viewers: Curve,
    viewers_in_all: i64,
}

impl Retention {
    /// Without views.
    pub fn new(buckets: ContentBuckets) -> Self {
        Self {
            views: Curve::new(&buckets),
            viewers: Curve::new(&buckets),
            viewers_in_all: 0,
            buckets,
        }
    }

    /// Adds a viewer with the coverage of each of the viewer's views: ascending, disjoint.
    pub fn add_viewer(&mut self, views: &[Vec<Span>]) {
        let mut by_viewer = SpanSet::new();
        for coverage in views {
            self.views.add(&self.buckets, coverage);
            by_viewer.extend(coverage.iter().copied());
        }
        if self.viewers.add(&self.buckets, by_viewer.settle()) {
            self.viewers_in_all += 1;
        }
    }

    /// A row for each bucket.
    pub fn rows(&self) -> impl Iterator<Item = RetentionRow> + '_ {
        let (mut views, mut viewers) = (0, 0);
        (0..self.buckets.count).map(move |index| {
            views += self.views.0[index];
            viewers += self.viewers.0[index];
            let (start, end) = (self.buckets.start(index), self.buckets.start(index + 1));
            // A bucket without a millisecond is played by none, though longer ones around it are.
            let of_bucket = |count| if start < end { count } else { 0 };
            let share = (of_bucket(viewers) * 10_000).checked_div(self.viewers_in_all);
            let share = share.map(|share| i32::try_from(share).expect("at most 10,000"));
            RetentionRow {
                position_ms: start,
                views: of_bucket(views),
                viewers: of_bucket(viewers),
                share,
            }
        })
    }
}

/// How the count of each bucket differs from that of the one before.
#[derive(Debug, Clone)]
struct Curve(Vec<i64>);

impl Curve {
    fn new(buckets: &ContentBuckets) -> Self {
        Self(vec![0; buckets.count + 1])
    }

    /// Counts a set of spans once in each bucket that holds any of it. False if none does.
    fn add(&mut self, buckets: &ContentBuckets, set: &[Span]) -> bool {
        let mut uncounted = 0;
        for span in set {
            let Some(inside) = Span::new(span.from().max(0), span.to().min(buckets.length)) else {
                continue;
            };
            let (first, last) = (buckets.index(inside.from()), buckets.index(inside.to() - 1));
            let first = first.max(uncounted);
            if first <= last {
                self.0[first] += 1;
                self.0[last + 1] -= 1;
                uncounted = last + 1;
            }
        }
        uncounted > 0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn granularity(seconds: u32) -> Granularity {
        Granularity::try_from(seconds).expect("offered")
    }

    fn span(from: i64, to: i64) -> Span {
        Span::new(from, to).expect("not empty")
    }

    /// The edges by the definition.
    fn edges(length: i64, division: Division) -> Vec<i64> {
        match division {
            Division::Width(width) => {
                let width = i64::from(width.seconds()) * 1_000;
                let starts = (0..).map(|index| index * width);
                starts
                    .take_while(|start| *start < length)
                    .chain([length])
                    .collect()
            }
            Division::Count(count) => (0..=i64::from(count))
                .map(|index| index * length / i64::from(count))
                .collect(),
        }
    }

    /// The reference: every millisecond by itself.
    fn naive(viewers: &[Vec<Vec<Span>>], length: i64, division: Division) -> Vec<RetentionRow> {
        let holds = |coverage: &[Span], from: i64, to: i64| {
            (from..to).any(|at| {
                coverage
                    .iter()
                    .any(|span| span.from() <= at && at < span.to())
            })
        };
        let any = |views: &&Vec<Vec<Span>>, from, to| views.iter().any(|it| holds(it, from, to));
        let count = |count: usize| i64::try_from(count).expect("few");
        let in_all = count(viewers.iter().filter(|views| any(views, 0, length)).count());
        let edges = edges(length, division);
        let rows = edges.windows(2).map(|edges| {
            let views = viewers.iter().flatten();
            let views = views.filter(|view| holds(view, edges[0], edges[1])).count();
            let viewers = viewers
                .iter()
                .filter(|it| any(it, edges[0], edges[1]))
                .count();
            RetentionRow {
                position_ms: edges[0],
                views: count(views),
                viewers: count(viewers),
                share: (in_all > 0)
                    .then(|| i32::try_from(count(viewers) * 10_000 / in_all).expect("a share")),
            }
        });
        rows.collect()
    }

    fn coverage() -> impl Strategy<Value = Vec<Span>> {
        prop::collection::vec((0i64..2_600, 1i64..900), 0..5).prop_map(|pairs| {
            let spans = pairs
                .into_iter()
                .map(|(from, length)| span(from, from + length));
            spans.collect::<SpanSet>().settle().to_vec()
        })
    }

    fn division() -> impl Strategy<Value = Division> {
        prop_oneof![
            Just(Division::Width(granularity(1))),
            (1u32..40).prop_map(Division::Count),
            (2_000u32..3_000).prop_map(Division::Count),
        ]
    }

    proptest! {
        #[test]
        fn a_curve_equals_the_count_bucket_by_bucket(
            viewers in prop::collection::vec(prop::collection::vec(coverage(), 1..3), 0..5),
            length in 1i64..2_700,
            division in division(),
        ) {
            let buckets = ContentBuckets::new(length, division).expect("few buckets");
            let mut retention = Retention::new(buckets);
            for views in &viewers {
                retention.add_viewer(views);
            }
            let rows: Vec<RetentionRow> = retention.rows().collect();
            prop_assert_eq!(rows, naive(&viewers, length, division));
        }

        #[test]
        fn each_millisecond_lies_in_one_bucket_and_buckets_lie_side_by_side(
            length in 1i64..50_000,
            division in division(),
        ) {
            let buckets = ContentBuckets::new(length, division).expect("few buckets");
            let edges: Vec<i64> = (0..=buckets.count).map(|index| buckets.start(index)).collect();
            prop_assert!(edges.is_sorted() && edges[0] == 0);
            prop_assert_eq!(edges.last(), Some(&length));
            let inside: BTreeSet<i64> = edges.iter().flat_map(|at| [at - 1, *at, at + 1]).collect();
            for at in inside.into_iter().filter(|at| (0..length).contains(at)) {
                let index = buckets.index(at);
                prop_assert!(edges[index] <= at && at < edges[index + 1], "{} {}", at, index);
            }
        }
    }

    #[test]
    fn content_without_a_length_has_no_buckets() {
        for division in [Division::Width(granularity(10)), Division::Count(100)] {
            let buckets = ContentBuckets::new(0, division).expect("none");
            let mut retention = Retention::new(buckets);
            retention.add_viewer(&[vec![span(0, 5)]]);
            assert_eq!(retention.rows().count(), 0);
        }
    }

    #[test]
    fn without_viewers_there_is_no_share() {
        let buckets = ContentBuckets::new(15_000, Division::Width(granularity(10)));
        let rows: Vec<_> = Retention::new(buckets.expect("two")).rows().collect();
        let row = |position_ms| RetentionRow {
            position_ms,
            views: 0,
            viewers: 0,
            share: None,
        };
        assert_eq!(rows, [row(0), row(10_000)]);
    }

    #[test]
    fn more_than_100_000_buckets_are_refused() {
        let second = Division::Width(granularity(1));
        assert!(ContentBuckets::new(100_000_000, second).is_ok());
        let refused = ContentBuckets::new(100_000_001, second);
        assert_eq!(
            refused,
            Err(TooManyBuckets {
                length_ms: 100_000_001
            })
        );
        assert!(ContentBuckets::new(i64::MAX, Division::Count(100_000)).is_ok());
        assert!(ContentBuckets::new(i64::MAX, second).is_err());
    }
}
