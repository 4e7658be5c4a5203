//! The builder of spans: spans of one view that overlap or touch become one row.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, TimestampMillisecondArray};

use super::Table;
use super::intervals::{Intervals, IntervalsBuilder};
use super::reading::{texts, times};
use crate::columns_of;
use crate::ids::OrgId;
use crate::record::PlaybackRef;

/// Fills a batch of spans.
#[derive(Debug, Default)]
pub(super) struct SpansBuilder {
    intervals: IntervalsBuilder<TEXTS, 0>,
}

macro_rules! attributes {
    (
        {} ($org:ident, $record:ident)
        columns $columns:tt
        attributes { $($attribute:ident: $type:ty = $value:expr,)* }
    ) => {
        /// How many texts a row has.
        const TEXTS: usize = COLUMNS.len();

        /// The columns of the texts.
        const COLUMNS: [&str; 2 + [$(stringify!($attribute)),*].len()] =
            ["event_id", "playback_id", $(stringify!($attribute)),*];

        /// The texts of a row, an absent one empty.
        fn texts_of<'a>($record: &PlaybackRef<'a>) -> [&'a str; TEXTS] {
            [$record.event, $record.playback, $($value.unwrap_or_default()),*]
        }
    };
}

columns_of!(Spans => attributes {});

impl SpansBuilder {
    /// True if a row was added.
    pub(super) fn push(&mut self, playback: &PlaybackRef<'_>) -> bool {
        self.intervals.push(playback.span, texts_of(playback))
    }

    /// Adds the rows of a batch.
    pub(super) fn add(&mut self, spans: &RecordBatch) {
        let [from, to] = ["from_time", "to_time"].map(|column| times(spans, column).values());
        let columns = COLUMNS.map(|column| texts(spans, column));
        self.intervals.add(from, to, columns);
    }

    /// Copies the rows of another builder. Rows that overlap or touch are not merged: the flush
    /// does that.
    pub(super) fn absorb(&mut self, other: &Self) {
        self.intervals.absorb(&other.intervals);
    }

    /// The rows. `None` if there are none.
    pub(super) fn finish(&mut self, org: &OrgId) -> Option<RecordBatch> {
        let Intervals {
            orgs,
            from,
            to,
            texts,
        } = self.intervals.finish(org)?;
        let times = |millis: Vec<i64>| -> ArrayRef {
            Arc::new(TimestampMillisecondArray::from(millis).with_timezone("UTC"))
        };
        let [event, playback, attributes @ ..] = texts;
        let columns = [orgs, event, playback, times(from), times(to)];
        let columns = columns.into_iter().chain(attributes).collect();
        let spans = RecordBatch::try_new(Table::Spans.schema(), columns);
        Some(spans.expect("the columns follow the schema"))
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

    fn playback(
        playback: &'static str,
        from: i64,
        to: i64,
        device_os: Option<&'static str>,
    ) -> PlaybackRef<'static> {
        PlaybackRef {
            event: "keynote",
            playback,
            span: Span::new(from, to).expect("a span"),
            coverage: None,
            device: None,
            customer: None,
            device_os,
            geo_region: None,
            name: None,
        }
    }

    fn rows(playbacks: &[PlaybackRef<'_>]) -> Vec<(String, i64, i64)> {
        let mut builder = SpansBuilder::default();
        for playback in playbacks {
            builder.push(playback);
        }
        rows_of(builder)
    }

    fn rows_of(mut builder: SpansBuilder) -> Vec<(String, i64, i64)> {
        let batch = builder.finish(&OrgId::new("acme").expect("an id"));
        let batch = batch.expect("rows were added");
        let time = |name: &str, row: usize| times(&batch, name).value(row);
        let playback = texts(&batch, "playback_id");
        (0..batch.num_rows())
            .map(|row| {
                let playback = playback.value(row).to_owned();
                (playback, time("from_time", row), time("to_time", row))
            })
            .collect()
    }

    #[test]
    fn spans_of_a_view_that_touch_are_one_row() {
        let playbacks = [
            playback("ada", 0, 10, None),
            playback("bob", 0, 10, None),
            playback("ada", 10, 20, None),
            playback("ada", 10, 20, None),
            playback("bob", 9, 15, None),
            playback("ada", -5, 1, None),
        ];
        let wanted = [("ada", -5, 20), ("bob", 0, 15)];
        assert_eq!(
            rows(&playbacks),
            wanted.map(|(name, from, to)| (name.to_owned(), from, to))
        );
    }

    #[test]
    fn a_pause_or_another_attribute_begins_a_row() {
        let playbacks = [
            playback("ada", 0, 10, Some("iOS")),
            playback("ada", 11, 20, Some("iOS")),
            playback("ada", 20, 30, None),
            playback("ada", 30, 40, None),
        ];
        let wanted = [("ada", 0, 10), ("ada", 11, 20), ("ada", 20, 40)];
        assert_eq!(
            rows(&playbacks),
            wanted.map(|(name, from, to)| (name.to_owned(), from, to))
        );
    }

    #[test]
    fn rows_of_another_builder_are_copied_unmerged() {
        let built = |playbacks: &[PlaybackRef<'_>]| {
            let mut builder = SpansBuilder::default();
            for playback in playbacks {
                builder.push(playback);
            }
            builder
        };
        let mut builder = SpansBuilder::default();
        builder.absorb(&built(&[playback("ada", 0, 10, Some("iOS"))]));
        builder.absorb(&built(&[
            playback("bob", 0, 10, None),
            playback("eve", 5, 6, None),
        ]));
        builder.push(&playback("eve", 6, 7, None));
        let wanted = [("ada", 0, 10), ("bob", 0, 10), ("eve", 5, 6), ("eve", 6, 7)];
        assert_eq!(
            rows_of(builder),
            wanted.map(|(name, from, to)| (name.to_owned(), from, to))
        );
    }
}
