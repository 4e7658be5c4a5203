//! The builder of spans: beats of one view that meet become one row as they come.
//!
//! A player says every few seconds that it went on playing, and says it again
//! when in doubt. Facts are sets, so what is sent as a thousand beats may be
//! kept as the one span that they make; whatever does not meet the last row of
//! its view just gets a row of its own.

use std::hash::BuildHasher;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringBuilder, TimestampMillisecondArray};
use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};

use super::Table;
use crate::ids::OrgId;
use crate::record::Beat;

/// Fills a batch of spans.
#[derive(Debug, Default)]
pub(super) struct SpansBuilder {
    rows: Vec<Row>,
    /// The keys of all rows, one after the other: a beat is compared with a row
    /// in one place of memory, not in seven columns.
    keys: Vec<u8>,
    /// The last row of each key.
    last_rows: HashTable<usize>,
    hasher: DefaultHashBuilder,
}

#[derive(Debug)]
struct Row {
    from: i64,
    to: i64,
    hash: u64,
    key: Range<usize>,
}

/// The texts of a row: event, playback, customer, device, OS and region.
const TEXTS: usize = 6;

/// Bytes of the length that stands before each text of a key.
const LENGTH_BYTES: usize = size_of::<u16>();

impl SpansBuilder {
    /// Tells whether a row was added.
    pub(super) fn push(&mut self, beat: &Beat<'_>) -> bool {
        // The key goes where it stays if the row is new.
        let key = self.keys.len()..self.append_key(beat);
        let hash = self.hasher.hash_one(&self.keys[key.clone()]);
        let (rows, keys) = (&mut self.rows, &self.keys);
        let is_same = |&row: &usize| {
            rows[row].hash == hash && keys[rows[row].key.clone()] == keys[key.clone()]
        };
        match self
            .last_rows
            .entry(hash, is_same, |&row: &usize| rows[row].hash)
        {
            Entry::Occupied(mut last) => {
                let row = &mut rows[*last.get()];
                let (from, to) = (beat.span.from(), beat.span.to());
                if from <= row.to && row.from <= to {
                    row.from = row.from.min(from);
                    row.to = row.to.max(to);
                    self.keys.truncate(key.start);
                    return false;
                }
                *last.get_mut() = rows.len();
            }
            Entry::Vacant(none) => {
                none.insert(rows.len());
            }
        }
        self.rows.push(Row {
            from: beat.span.from(),
            to: beat.span.to(),
            hash,
            key,
        });
        true
    }

    pub(super) fn finish(&mut self, org: &OrgId) -> RecordBatch {
        let Self { rows, keys, .. } = std::mem::take(self);
        let mut orgs = StringBuilder::with_capacity(rows.len(), rows.len() * org.as_str().len());
        let mut columns: [StringBuilder; TEXTS] =
            std::array::from_fn(|_| StringBuilder::with_capacity(rows.len(), 0));
        for row in &rows {
            orgs.append_value(org.as_str());
            let mut key = &keys[row.key.clone()];
            for column in &mut columns {
                let (text, rest) = split_text(key);
                // An absent attribute is never empty, and an id never is.
                column.append_option((!text.is_empty()).then_some(text));
                key = rest;
            }
        }
        let times = |end: fn(&Row) -> i64| -> ArrayRef {
            let millis = rows.iter().map(end);
            Arc::new(TimestampMillisecondArray::from_iter_values(millis).with_timezone("UTC"))
        };
        let [event, playback, customer, device, device_os, geo_region] =
            columns.map(|mut column| Arc::new(column.finish()) as ArrayRef);
        let columns = vec![
            Arc::new(orgs.finish()),
            event,
            playback,
            times(|row| row.from),
            times(|row| row.to),
            customer,
            device,
            device_os,
            geo_region,
        ];
        RecordBatch::try_new(Table::Spans.schema(), columns).expect("the columns follow the schema")
    }

    /// Appends the key of the beat's row and returns where it ends.
    fn append_key(&mut self, beat: &Beat<'_>) -> usize {
        let attributes = [beat.customer, beat.device, beat.device_os, beat.geo_region];
        let texts = [Some(beat.event), Some(beat.playback)].into_iter();
        for text in texts.chain(attributes) {
            let text = text.unwrap_or_default();
            let length = u16::try_from(text.len()).expect("texts of records are short");
            self.keys.extend_from_slice(&length.to_le_bytes());
            self.keys.extend_from_slice(text.as_bytes());
        }
        self.keys.len()
    }
}

/// The first text of a key, and what follows it.
fn split_text(key: &[u8]) -> (&str, &[u8]) {
    let (length, rest) = key
        .split_first_chunk::<LENGTH_BYTES>()
        .expect("a key has all its texts");
    let (text, rest) = rest.split_at(usize::from(u16::from_le_bytes(*length)));
    (str::from_utf8(text).expect("it was a text"), rest)
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::TimestampMillisecondType;

    use super::*;
    use crate::span::Span;

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
        let batch = builder.finish(&OrgId::new("acme").expect("an id"));
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
}
