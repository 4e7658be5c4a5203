//! The builder of spans: spans of one view that overlap or touch become one row as they are added.
//!
//! A player sends a span every few seconds, and repeats it if there was no response. A thousand
//! spans that follow each other are kept as one. A span that does not touch the last row of its
//! view gets a row of its own.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, NullBufferBuilder, RecordBatch, StringArray, TimestampMillisecondArray,
};
use arrow::buffer::OffsetBuffer;
use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};

use super::Table;
use super::reading::{texts, times};
use crate::columns_of;
use crate::ids::OrgId;
use crate::record::PlaybackRef;
use crate::span::Span;

/// Fills a batch of spans.
#[derive(Debug, Default)]
pub(super) struct SpansBuilder {
    rows: Vec<Row>,
    /// The texts of all rows, one after the other. A span is compared with a row in one place of
    /// memory instead of a column for each text.
    texts: Vec<u8>,
    /// The last row of each view.
    last_rows: HashTable<usize>,
    hasher: DefaultHashBuilder,
}

macro_rules! attributes {
    (
        {} ($org:ident, $record:ident)
        columns $columns:tt
        attributes { $($attribute:ident: $type:ty = $value:expr,)* }
    ) => {
        /// The columns of the attributes.
        const ATTRIBUTES: &[&str] = &[$(stringify!($attribute)),*];

        /// The texts of a row, an absent one empty: event, playback and attributes.
        fn texts_of<'a>($record: &PlaybackRef<'a>) -> [&'a str; TEXTS] {
            [$record.event, $record.playback, $($value.unwrap_or_default()),*]
        }
    };
}

columns_of!(Spans => attributes {});

/// How many texts a row has.
const TEXTS: usize = 2 + ATTRIBUTES.len();

#[derive(Debug, Clone, Copy)]
struct Row {
    from: i64,
    to: i64,
    hash: u64,
    /// Offset of its texts.
    start: usize,
    /// Their lengths. 0 is an absent attribute; texts that are present are never empty.
    lengths: [u16; TEXTS],
}

impl Row {
    fn texts<'a>(&self, texts: &'a [u8]) -> &'a [u8] {
        let length: usize = self.lengths.iter().copied().map(usize::from).sum();
        &texts[self.start..self.start + length]
    }
}

impl SpansBuilder {
    /// True if a row was added.
    pub(super) fn push(&mut self, playback: &PlaybackRef<'_>) -> bool {
        self.push_row(playback.span, texts_of(playback))
    }

    fn push_row(&mut self, span: Span, texts: [&str; TEXTS]) -> bool {
        // The texts are appended before the search and removed if no row is added.
        let row = self.row(span, texts);
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
        let (from, to) = (times(spans, "from_time"), times(spans, "to_time"));
        let columns = ["event_id", "playback_id"].iter().chain(ATTRIBUTES);
        let columns: Vec<&StringArray> = columns.map(|column| texts(spans, column)).collect();
        for row in 0..spans.num_rows() {
            let Some(span) = Span::new(from.value(row), to.value(row)) else {
                continue;
            };
            self.push_row(
                span,
                std::array::from_fn(|at| text_or_empty(columns[at], row)),
            );
        }
    }

    /// Copies the rows of another builder. Rows that overlap or touch are not merged: the flush
    /// does that.
    pub(super) fn absorb(&mut self, other: &Self) {
        let before = self.texts.len();
        self.texts.extend_from_slice(&other.texts);
        let copied = other.rows.iter().map(|row| Row {
            start: before + row.start,
            ..*row
        });
        self.rows.extend(copied);
    }

    /// The rows. `None` if there are none.
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
        let texts = text_columns(&rows, &texts).map(|column| Arc::new(column) as ArrayRef);
        let (ids, attributes) = texts.split_at(TEXTS - ATTRIBUTES.len());
        let mut columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from_iter_values(orgs))];
        columns.extend_from_slice(ids);
        columns.extend([times(|row| row.from), times(|row| row.to)]);
        columns.extend_from_slice(attributes);
        let spans = RecordBatch::try_new(Table::Spans.schema(), columns);
        Some(spans.expect("the columns follow the schema"))
    }

    /// Bytes of the rows in memory.
    pub(super) const fn memory_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<Row>() + self.texts.capacity()
    }

    /// Makes a row and appends its texts.
    fn row(&mut self, span: Span, texts: [&str; TEXTS]) -> Row {
        let start = self.texts.len();
        let lengths = texts.map(|text| {
            self.texts.extend_from_slice(text.as_bytes());
            u16::try_from(text.len()).expect("texts of records are short")
        });
        let mut hasher = self.hasher.build_hasher();
        lengths.hash(&mut hasher);
        hasher.write(&self.texts[start..]);
        Row {
            from: span.from(),
            to: span.to(),
            hash: hasher.finish(),
            start,
            lengths,
        }
    }
}

fn text_or_empty(column: &StringArray, row: usize) -> &str {
    if column.is_valid(row) {
        column.value(row)
    } else {
        ""
    }
}

/// The texts of the rows as columns. An empty text is null.
fn text_columns(rows: &[Row], texts: &[u8]) -> [StringArray; TEXTS] {
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
