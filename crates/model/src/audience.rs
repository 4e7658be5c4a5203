//! The audience curve: viewers, joins and leaves in each bucket of time.
//!
//! A sweep over the instants at which viewers join and leave gives the true maximum inside each
//! bucket. Memory grows with the buckets, not with the viewers.

use crate::buckets::{Buckets, Granularity};
use crate::time::Zone;

/// The most buckets of an audience curve.
pub const BUCKETS_MAX: usize = 10_000;

/// The curve would have more than [`BUCKETS_MAX`] buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the curve has more than {BUCKETS_MAX} buckets of {} s; ask for a coarser \
     granularity_seconds, or for less time by from and to",
    granularity.seconds()
)]
pub struct TooManyBuckets {
    pub granularity: Granularity,
}

/// How the time of an event is divided into buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resolution {
    /// Into buckets of this width.
    Width(Granularity),
    /// Into buckets of the finest granularity that gives at most this many, else of the coarsest.
    Points(u32),
}

/// An instant at which a viewer joins or leaves. At the same instant, leaving is less than joining.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    pub at: i64,
    pub joins: bool,
}

/// The figures of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AudienceRow {
    /// The first millisecond of the bucket.
    pub at: i64,
    /// The length of the bucket in milliseconds.
    pub width: i64,
    /// The most viewers at any instant of the bucket.
    pub peak_viewers: i64,
    /// Milliseconds attended, summed over viewers.
    pub attended_millis: i64,
    /// Stretches of viewers that begin in the bucket.
    pub joined: i64,
    /// Stretches of viewers that have their last millisecond in the bucket.
    pub left: i64,
    pub messages: i64,
    pub votes: i64,
}

/// What is counted at instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    Messages,
    Votes,
}

/// A curve while it is made. It is swept from its first instant on.
#[derive(Debug, Clone)]
pub struct AudienceCurve {
    /// The possible curves, from the finest to the coarsest. With a width there is one.
    curves: Vec<Curve>,
    /// Curves with more rows are dropped while there is a coarser one.
    rows_max: usize,
}

impl AudienceCurve {
    /// A curve from the bucket that holds `start`.
    pub fn new(resolution: Resolution, zone: &Zone, start: i64) -> Self {
        let curve = |granularity| Curve::new(granularity, Buckets::new(granularity, zone), start);
        match resolution {
            Resolution::Width(granularity) => Self {
                curves: vec![curve(granularity)],
                rows_max: BUCKETS_MAX,
            },
            Resolution::Points(points) => Self {
                curves: Granularity::all().map(curve).collect(),
                rows_max: usize::try_from(points).map_or(BUCKETS_MAX, |it| it.min(BUCKETS_MAX)),
            },
        }
    }

    /// Sweeps over an edge. Edges are ascending, and none is before the first instant.
    pub fn edge(&mut self, edge: Edge) -> Result<(), TooManyBuckets> {
        self.sweep(|curve, rows_max| {
            if edge.joins {
                curve.join(edge.at, rows_max)
            } else {
                curve.leave(edge.at, rows_max)
            }
        })
    }

    /// Ends with the bucket that holds `last`, unless a later one was reached.
    pub fn end(&mut self, last: i64) -> Result<(), TooManyBuckets> {
        self.sweep(|curve, rows_max| curve.advance(last + 1, rows_max))
    }

    /// Counts what happened at an instant inside the curve.
    pub fn count(&mut self, counted: Counted, at: i64, count: i64) {
        for curve in &mut self.curves {
            curve.count(counted, at, count);
        }
    }

    /// The width of the buckets, and a row for each.
    pub fn into_rows(self) -> (Granularity, Vec<AudienceRow>) {
        let finest = self
            .curves
            .into_iter()
            .next()
            .expect("the coarsest is kept");
        (finest.granularity, finest.rows)
    }

    /// Lets each curve go on; those that have become too long are dropped.
    fn sweep(
        &mut self,
        mut step: impl FnMut(&mut Curve, usize) -> bool,
    ) -> Result<(), TooManyBuckets> {
        let mut number = 0;
        while number < self.curves.len() {
            let is_coarsest = number + 1 == self.curves.len();
            let rows_max = if is_coarsest {
                BUCKETS_MAX
            } else {
                self.rows_max
            };
            let curve = &mut self.curves[number];
            if step(curve, rows_max) {
                number += 1;
            } else if is_coarsest {
                return Err(TooManyBuckets {
                    granularity: curve.granularity,
                });
            } else {
                self.curves.remove(number);
            }
        }
        Ok(())
    }
}

/// A curve of one granularity.
#[derive(Debug, Clone)]
struct Curve {
    granularity: Granularity,
    buckets: Buckets,
    /// The number of the first bucket.
    first: i64,
    /// Never empty; the last one is being swept.
    rows: Vec<AudienceRow>,
    /// The instant up to which it was swept.
    at: i64,
    /// Viewers at that instant.
    viewers: i64,
}

impl Curve {
    fn new(granularity: Granularity, buckets: Buckets, start: i64) -> Self {
        let first = buckets.index(start);
        let mut curve = Self {
            granularity,
            buckets,
            first,
            rows: Vec::new(),
            at: start,
            viewers: 0,
        };
        curve.open();
        curve
    }

    /// Appends the next bucket.
    fn open(&mut self) {
        let index = self.first + i64::try_from(self.rows.len()).expect("few rows");
        let start = self.buckets.start(index);
        self.rows.push(AudienceRow {
            at: start,
            width: self.buckets.start(index + 1) - start,
            ..AudienceRow::default()
        });
    }

    fn last(&mut self) -> &mut AudienceRow {
        self.rows.last_mut().expect("there is a row")
    }

    /// Sweeps up to an instant, which is the end of the last row at most. False if that takes more
    /// rows than allowed.
    fn advance(&mut self, to: i64, rows_max: usize) -> bool {
        while self.at < to {
            let viewers = self.viewers;
            let row = self.last();
            let end = row.at + row.width;
            if self.at >= end {
                if self.rows.len() >= rows_max {
                    return false;
                }
                self.open();
                continue;
            }
            let until = end.min(to);
            let millis = until - self.at;
            let row = self.last();
            row.attended_millis += viewers * millis;
            row.peak_viewers = row.peak_viewers.max(viewers);
            self.at = until;
        }
        true
    }

    fn join(&mut self, at: i64, rows_max: usize) -> bool {
        let is_swept = self.advance(at, rows_max);
        if !is_swept {
            return false;
        }
        let row = self.last();
        if at >= row.at + row.width {
            if self.rows.len() >= rows_max {
                return false;
            }
            self.open();
        }
        self.last().joined += 1;
        self.viewers += 1;
        true
    }

    fn leave(&mut self, at: i64, rows_max: usize) -> bool {
        let is_swept = self.advance(at, rows_max);
        self.last().left += 1;
        self.viewers -= 1;
        is_swept
    }

    fn count(&mut self, counted: Counted, at: i64, count: i64) {
        let row = usize::try_from(self.buckets.index(at) - self.first);
        if let Some(row) = row.ok().and_then(|row| self.rows.get_mut(row)) {
            match counted {
                Counted::Messages => row.messages += count,
                Counted::Votes => row.votes += count,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::span::Span;
    use crate::span::testing::sets;

    fn granularity(seconds: u32) -> Granularity {
        Granularity::try_from(seconds).expect("offered")
    }

    fn edges(sets: &[Vec<Span>]) -> Vec<Edge> {
        let of_span = |span: &Span| {
            let edge = |at, joins| Edge { at, joins };
            [edge(span.from(), true), edge(span.to(), false)]
        };
        let mut edges: Vec<Edge> = sets.iter().flatten().flat_map(of_span).collect();
        edges.sort_unstable();
        edges
    }

    fn curve(
        resolution: Resolution,
        sets: &[Vec<Span>],
        start: i64,
        last: i64,
    ) -> Result<(Granularity, Vec<AudienceRow>), TooManyBuckets> {
        let mut curve = AudienceCurve::new(resolution, &Zone::utc(), start);
        for edge in edges(sets) {
            curve.edge(edge)?;
        }
        curve.end(last)?;
        Ok(curve.into_rows())
    }

    /// The reference: every bucket, and in it every instant at which the number of viewers changes.
    fn naive(buckets: &Buckets, sets: &[Vec<Span>], start: i64, last: i64) -> Vec<AudienceRow> {
        let spans = || sets.iter().flatten();
        let row = |index: i64| {
            let (from, to) = (buckets.start(index), buckets.start(index + 1));
            let viewers_at = |at: i64| {
                let holding = spans().filter(|span| span.from() <= at && at < span.to());
                i64::try_from(holding.count()).expect("few")
            };
            let mut instants: Vec<i64> = spans().map(|span| span.from()).collect();
            instants.push(from);
            let inside = instants.into_iter().filter(|at| (from..to).contains(at));
            let count = |is_counted: &dyn Fn(&Span) -> bool| {
                i64::try_from(spans().filter(|span| is_counted(span)).count()).expect("few")
            };
            let overlap = |span: &Span| (span.to().min(to) - span.from().max(from)).max(0);
            AudienceRow {
                at: from,
                width: to - from,
                peak_viewers: inside.map(viewers_at).max().unwrap_or(0),
                attended_millis: spans().map(overlap).sum(),
                joined: count(&|span| (from..to).contains(&span.from())),
                left: count(&|span| (from..to).contains(&(span.to() - 1))),
                messages: 0,
                votes: 0,
            }
        };
        (buckets.index(start)..=buckets.index(last))
            .map(row)
            .collect()
    }

    fn extent(sets: &[Vec<Span>]) -> Option<(i64, i64)> {
        let starts = sets.iter().flatten().map(|span| span.from());
        let ends = sets.iter().flatten().map(|span| span.to() - 1);
        Some((starts.min()?, ends.max()?))
    }

    proptest! {
        #[test]
        fn a_curve_equals_the_count_bucket_by_bucket(
            sets in sets(),
            seconds in prop::sample::select(vec![5u32, 15, 60, 300]),
            before in 0i64..200_000,
            after in 0i64..200_000,
        ) {
            let (first, last) = extent(&sets).unwrap_or((0, 0));
            let (start, last) = (first - before, last + after);
            let width = Resolution::Width(granularity(seconds));
            let buckets = Buckets::new(granularity(seconds), &Zone::utc());
            let (_, rows) = curve(width, &sets, start, last).expect("few buckets");
            prop_assert_eq!(rows, naive(&buckets, &sets, start, last));
        }

        #[test]
        fn the_finest_granularity_with_few_enough_buckets_is_taken(
            sets in sets(),
            points in 1u32..100,
        ) {
            let Some((start, last)) = extent(&sets) else { return Ok(()) };
            let (chosen, rows) = curve(Resolution::Points(points), &sets, start, last)
                .expect("days are few");
            let fits = |granularity: &Granularity| {
                let buckets = Buckets::new(*granularity, &Zone::utc());
                buckets.index(last) - buckets.index(start) < i64::from(points)
            };
            let finest = Granularity::all().find(fits).unwrap_or(granularity(86_400));
            prop_assert_eq!(chosen, finest);
            let buckets = Buckets::new(finest, &Zone::utc());
            prop_assert_eq!(rows, naive(&buckets, &sets, start, last));
        }
    }

    #[test]
    fn messages_and_votes_are_counted_in_their_bucket() {
        let width = Resolution::Width(granularity(60));
        let mut curve = AudienceCurve::new(width, &Zone::utc(), 30_000);
        curve.end(150_000).expect("three buckets");
        curve.count(Counted::Messages, 59_999, 2);
        curve.count(Counted::Votes, 60_000, 3);
        curve.count(Counted::Messages, 180_000, 1);
        let (_, rows) = curve.into_rows();
        let counts: Vec<_> = rows
            .iter()
            .map(|row| (row.at, row.messages, row.votes))
            .collect();
        assert_eq!(counts, [(0, 2, 0), (60_000, 0, 3), (120_000, 0, 0)]);
    }

    #[test]
    fn more_than_10_000_buckets_are_refused() {
        let second = Resolution::Width(granularity(1));
        assert!(curve(second, &[], 0, 9_999_999).is_ok());
        let refused = curve(second, &[], 0, 10_000_000).expect_err("a bucket more");
        assert_eq!(refused.granularity, granularity(1));
        let span = Span::new(0, 20_000_000).expect("not empty");
        assert!(curve(second, &[vec![span]], 0, 1).is_err());
        let (chosen, rows) =
            curve(Resolution::Points(u32::MAX), &[], 0, 10_000_000).expect("coarser ones");
        assert_eq!((chosen, rows.len()), (granularity(5), 2_001));
    }
}
