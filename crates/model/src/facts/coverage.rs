//! The builder of coverage: intervals of one view that overlap, touch or are near become one row.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};

use super::Table;
use super::intervals::{Intervals, IntervalsBuilder};
use super::reading::{integers, texts};
use crate::coverage::GAP_MS_MAX;
use crate::ids::OrgId;
use crate::record::PlaybackRef;

/// Fills a batch of coverage. A playback without coverage adds no row and takes no time.
#[derive(Debug, Default)]
pub(super) struct CoverageBuilder {
    intervals: IntervalsBuilder<2, GAP_MS_MAX>,
}

impl CoverageBuilder {
    /// True if a row was added.
    pub(super) fn push(&mut self, playback: &PlaybackRef<'_>) -> bool {
        let texts = [playback.event, playback.playback];
        let interval = playback.coverage;
        interval.is_some_and(|interval| self.intervals.push(interval, texts))
    }

    /// Adds the rows of a batch.
    pub(super) fn add(&mut self, coverage: &RecordBatch) {
        let [from, to] = ["from_ms", "to_ms"].map(|column| integers(coverage, column).values());
        let columns = ["event_id", "playback_id"].map(|column| texts(coverage, column));
        self.intervals.add(from, to, columns);
    }

    /// Copies the rows of another builder. They are not merged: the flush does that.
    pub(super) fn absorb(&mut self, other: &Self) {
        self.intervals.absorb(&other.intervals);
    }

    /// The rows. `None` if there are none.
    pub(super) fn finish(&mut self, org: &OrgId) -> Option<RecordBatch> {
        let Intervals {
            orgs,
            from,
            to,
            texts: [event, playback],
        } = self.intervals.finish(org)?;
        let integers = |millis: Vec<i64>| Arc::new(Int64Array::from(millis)) as ArrayRef;
        let columns = vec![orgs, event, playback, integers(from), integers(to)];
        let coverage = RecordBatch::try_new(Table::Coverage.schema(), columns);
        Some(coverage.expect("the columns follow the schema"))
    }

    /// Bytes of the rows in memory.
    pub(super) const fn memory_bytes(&self) -> usize {
        self.intervals.memory_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::Span;

    fn playback(playback: &'static str, coverage: Option<(i64, i64)>) -> PlaybackRef<'static> {
        PlaybackRef {
            event: "talk",
            playback,
            span: Span::new(0, 10).expect("a span"),
            coverage: coverage.and_then(|(from, to)| Span::new(from, to)),
            device: None,
            customer: None,
            device_os: Some("iOS"),
            geo_region: None,
            name: None,
        }
    }

    fn rows_of(mut builder: CoverageBuilder) -> Vec<(String, i64, i64)> {
        let Some(batch) = builder.finish(&OrgId::new("acme").expect("an id")) else {
            return Vec::new();
        };
        let playbacks = texts(&batch, "playback_id");
        let [from, to] = ["from_ms", "to_ms"].map(|column| integers(&batch, column));
        let row = |row| {
            (
                playbacks.value(row).to_owned(),
                from.value(row),
                to.value(row),
            )
        };
        (0..batch.num_rows()).map(row).collect()
    }

    fn built(playbacks: &[PlaybackRef<'_>]) -> CoverageBuilder {
        let mut builder = CoverageBuilder::default();
        for playback in playbacks {
            builder.push(playback);
        }
        builder
    }

    #[test]
    fn intervals_of_a_view_that_are_near_are_one_row() {
        let builder = built(&[
            playback("ada", Some((0, 10_000))),
            playback("bob", Some((0, 10_000))),
            // A growing span, a repetition, and jitter.
            playback("ada", Some((0, 20_000))),
            playback("ada", Some((0, 20_000))),
            playback("ada", Some((20_250, 30_000))),
            // A gap that is too large to be closed, and an interval near the row after it.
            playback("ada", Some((30_251, 40_000))),
            playback("bob", None),
            playback("ada", Some((30_000, 30_001))),
        ]);
        let wanted = [
            ("ada", 0, 30_000),
            ("bob", 0, 10_000),
            ("ada", 30_000, 40_000),
        ];
        assert_eq!(
            rows_of(builder),
            wanted.map(|(name, from, to)| (name.to_owned(), from, to))
        );
    }

    #[test]
    fn a_playback_without_coverage_adds_no_row() {
        let mut builder = CoverageBuilder::default();
        assert!(!builder.push(&playback("ada", None)));
        assert_eq!(builder.memory_bytes(), 0);
        assert_eq!(rows_of(builder), []);
    }

    #[test]
    fn rows_of_a_batch_are_merged_and_those_of_a_builder_are_copied() {
        let mut one = built(&[playback("ada", Some((0, 10)))]);
        one.absorb(&built(&[playback("ada", Some((5, 20)))]));
        let batch = one.finish(&OrgId::new("acme").expect("an id"));
        let batch = batch.expect("rows were added");
        assert_eq!(batch.num_rows(), 2);
        let mut merged = CoverageBuilder::default();
        merged.add(&batch);
        merged.add(&batch);
        assert_eq!(rows_of(merged), [("ada".to_owned(), 0, 20)]);
    }
}
