//! The builder of spans: beats of one view that meet become one row as they come.
//!
//! A player says every few seconds that it went on playing, and says it again
//! when in doubt. Facts are sets, so what is sent as a thousand beats may be
//! kept as the one span that they make; whatever does not meet the last row of
//! its view just gets a row of its own.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, NullBufferBuilder, RecordBatch, StringArray,
    TimestampMillisecondArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::TimestampMillisecondType;
use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};

use super::Table;
use crate::ids::OrgId;
use crate::record::Beat;
use crate::span::Span;

/// Fills a batch of spans.
#[derive(Debug, Default)]
pub(super) struct SpansBuilder {
    rows: Vec<Row>,
    /// The texts of all rows, one after the other: a beat is compared with a row
    /// in one place of memory, not in seven columns.
    texts: Vec<u8>,
    /// The last row of each view.
    last_rows: HashTable<usize>,
    hasher: DefaultHashBuilder,
}

/// The texts of a row: event, playback, customer, device, OS and region.
const TEXTS: usize = 6;

#[derive(Debug, Clone, Copy)]
struct Row {
    from: i64,
    to: i64,
    hash: u64,
    /// Where its texts begin.
    start: usize,
    /// How long they are. An absent attribute is never empty, and an id never is.
    lengths: [u16; TEXTS],
}

impl Row {
    fn texts<'a>(&self, texts: &'a [u8]) -> &'a [u8] {
        let length: usize = self.lengths.iter().copied().map(usize::from).sum();
        &texts[self.start..self.start + length]
    }
}

impl SpansBuilder {
    /// Tells whether a row was added.
    pub(super) fn push(&mut self, beat: &Beat<'_>) -> bool {
        // The texts go where they stay if the row is new.
        let row = self.row(beat);
        let (rows, texts) = (&mut self.rows, &self.texts);
        let is_same = |&other: &usize| {
            let other: &Row = &rows[other];
            other.hash == row.hash
                && other.lengths == row.lengths
                && other.texts(texts) == row.texts(texts)
        };
        match self
            .last_rows
            .entry(row.hash, is_same, |&row: &usize| rows[row].hash)
        {
            Entry::Occupied(mut last) => {
                let same = &mut rows[*last.get()];
                if row.from <= same.to && same.from <= row.to {
                    same.from = same.from.min(row.from);
                    same.to = same.to.max(row.to);
                    self.texts.truncate(row.start);
                    return false;
                }
                *last.get_mut() = rows.len();
            }
            Entry::Vacant(none) => {
                none.insert(rows.len());
            }
        }
        self.rows.push(row);
        true
    }

    /// Adds the rows of a batch.
    pub(super) fn add(&mut self, spans: &RecordBatch) {
        let texts = |column: usize| spans.column(column).as_string::<i32>();
        let times = |column: usize| {
            let times = spans.column(column);
            times.as_primitive::<TimestampMillisecondType>()
        };
        let (events, playbacks) = (texts(1), texts(2));
        let (from, to) = (times(3), times(4));
        let attributes = [5, 6, 7, 8].map(texts);
        for row in 0..spans.num_rows() {
            let [customer, device, device_os, geo_region] =
                attributes.map(|column| column.is_valid(row).then(|| column.value(row)));
            let Some(span) = Span::new(from.value(row), to.value(row)) else {
                continue;
            };
            self.push(&Beat {
                event: events.value(row),
                playback: playbacks.value(row),
                span,
                device,
                customer,
                device_os,
                geo_region,
            });
        }
    }

    /// Copies the rows of another builder as they are. Whether they would have
    /// met ours is not looked at: that can be done as well when they are flushed.
    pub(super) fn absorb(&mut self, other: &Self) {
        let before = self.texts.len();
        self.texts.extend_from_slice(&other.texts);
        let copied = other.rows.iter().map(|row| Row {
            start: before + row.start,
            ..*row
        });
        self.rows.extend(copied);
    }

    /// What was added, if anything was.
    pub(super) fn finish(&mut self, org: &OrgId) -> Option<RecordBatch> {
        let Self { rows, texts, .. } = std::mem::take(self);
        if rows.is_empty() {
            return None;
        }
        let times = |end: fn(&Row) -> i64| -> ArrayRef {
            let millis = rows.iter().map(end);
            Arc::new(TimestampMillisecondArray::from_iter_values(millis).with_timezone("UTC"))
        };
        let orgs = std::iter::repeat_n(org.as_str(), rows.len());
        let [event, playback, customer, device, device_os, geo_region] =
            columns_of(&rows, &texts).map(|column| Arc::new(column) as ArrayRef);
        let columns = vec![
            Arc::new(StringArray::from_iter_values(orgs)),
            event,
            playback,
            times(|row| row.from),
            times(|row| row.to),
            customer,
            device,
            device_os,
            geo_region,
        ];
        let spans = RecordBatch::try_new(Table::Spans.schema(), columns);
        Some(spans.expect("the columns follow the schema"))
    }

    /// Bytes of the rows in memory.
    pub(super) const fn memory_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<Row>() + self.texts.capacity()
    }

    /// The beat as a row, its texts appended.
    fn row(&mut self, beat: &Beat<'_>) -> Row {
        let start = self.texts.len();
        let attributes = [beat.customer, beat.device, beat.device_os, beat.geo_region];
        let [customer, device, device_os, geo_region] = attributes.map(Option::unwrap_or_default);
        let texts = [
            beat.event,
            beat.playback,
            customer,
            device,
            device_os,
            geo_region,
        ];
        let lengths = texts.map(|text| {
            self.texts.extend_from_slice(text.as_bytes());
            u16::try_from(text.len()).expect("texts of records are short")
        });
        let mut hasher = self.hasher.build_hasher();
        lengths.hash(&mut hasher);
        hasher.write(&self.texts[start..]);
        Row {
            from: beat.span.from(),
            to: beat.span.to(),
            hash: hasher.finish(),
            start,
            lengths,
        }
    }
}

/// The texts of the rows as columns. An empty one was absent.
fn columns_of(rows: &[Row], texts: &[u8]) -> [StringArray; TEXTS] {
    let mut starts: Vec<usize> = rows.iter().map(|row| row.start).collect();
    std::array::from_fn(|column| {
        let lengths = || rows.iter().map(|row| usize::from(row.lengths[column]));
        let mut values = Vec::with_capacity(lengths().sum());
        let mut present = NullBufferBuilder::new(rows.len());
        for (start, length) in starts.iter_mut().zip(lengths()) {
            values.extend_from_slice(&texts[*start..*start + length]);
            present.append(length > 0);
            *start += length;
        }
        let offsets = OffsetBuffer::from_lengths(lengths());
        StringArray::try_new(offsets, values.into(), present.finish()).expect("they were texts")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beat(
        playback: &'static str,
        from: i64,
        to: i64,
        device_os: Option<&'static str>,
    ) -> Beat<'static> {
        Beat {
            event: "keynote",
            playback,
            span: Span::new(from, to).expect("a span"),
            device: None,
            customer: None,
            device_os,
            geo_region: None,
        }
    }

    fn rows(beats: &[Beat<'_>]) -> Vec<(String, i64, i64)> {
        let mut builder = SpansBuilder::default();
        for beat in beats {
            builder.push(beat);
        }
        rows_of(builder)
    }

    fn rows_of(mut builder: SpansBuilder) -> Vec<(String, i64, i64)> {
        let batch = builder.finish(&OrgId::new("acme").expect("an id"));
        let batch = batch.expect("rows were added");
        let time = |name: &str, row: usize| {
            let column = batch.column_by_name(name).expect("a column");
            column.as_primitive::<TimestampMillisecondType>().value(row)
        };
        let playback = batch.column(2).as_string::<i32>();
        (0..batch.num_rows())
            .map(|row| {
                let playback = playback.value(row).to_owned();
                (playback, time("from_time", row), time("to_time", row))
            })
            .collect()
    }

    #[test]
    fn beats_of_a_view_that_meet_are_one_row() {
        let beats = [
            beat("ada", 0, 10, None),
            beat("bob", 0, 10, None),
            beat("ada", 10, 20, None),
            beat("ada", 10, 20, None),
            beat("bob", 9, 15, None),
            beat("ada", -5, 1, None),
        ];
        let wanted = [("ada", -5, 20), ("bob", 0, 15)];
        assert_eq!(
            rows(&beats),
            wanted.map(|(name, from, to)| (name.to_owned(), from, to))
        );
    }

    #[test]
    fn a_pause_or_another_attribute_begins_a_row() {
        let beats = [
            beat("ada", 0, 10, Some("iOS")),
            beat("ada", 11, 20, Some("iOS")),
            beat("ada", 20, 30, None),
            beat("ada", 30, 40, None),
        ];
        let wanted = [("ada", 0, 10), ("ada", 11, 20), ("ada", 20, 40)];
        assert_eq!(
            rows(&beats),
            wanted.map(|(name, from, to)| (name.to_owned(), from, to))
        );
    }

    #[test]
    fn rows_of_another_builder_are_taken_over_as_they_are() {
        let built = |beats: &[Beat<'_>]| {
            let mut builder = SpansBuilder::default();
            for beat in beats {
                builder.push(beat);
            }
            builder
        };
        let mut builder = SpansBuilder::default();
        builder.absorb(&built(&[beat("ada", 0, 10, Some("iOS"))]));
        builder.absorb(&built(&[beat("bob", 0, 10, None), beat("eve", 5, 6, None)]));
        builder.push(&beat("eve", 6, 7, None));
        let wanted = [("ada", 0, 10), ("bob", 0, 10), ("eve", 5, 6), ("eve", 6, 7)];
        assert_eq!(
            rows_of(builder),
            wanted.map(|(name, from, to)| (name.to_owned(), from, to))
        );
    }
}
