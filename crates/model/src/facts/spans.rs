//! The builder of spans: beats of one view that meet become one row as they come.
//!
//! A player says every few seconds that it went on playing, and says it again
//! when in doubt. Facts are sets, so what is sent as a thousand beats may be
//! kept as the one span that they make; whatever does not meet the last row of
//! its view just gets a row of its own.

use std::hash::BuildHasher;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringBuilder, TimestampMillisecondArray};
use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};

use super::{Table, texts};
use crate::ids::{CustomerId, DeviceId};
use crate::record::PlaybackRecord;

/// Fills a batch of spans.
#[derive(Debug)]
pub(super) struct SpansBuilder {
    org: StringBuilder,
    event: StringBuilder,
    playback: StringBuilder,
    from: Vec<i64>,
    to: Vec<i64>,
    /// `customer_id`, `device_id`, `device_os` and `geo_region`.
    attributes: [StringBuilder; 4],
    /// The last row of each view, found by the hash of its playback.
    last_rows: HashTable<usize>,
    hasher: DefaultHashBuilder,
}

impl Default for SpansBuilder {
    fn default() -> Self {
        Self {
            org: texts(),
            event: texts(),
            playback: texts(),
            from: Vec::new(),
            to: Vec::new(),
            attributes: std::array::from_fn(|_| texts()),
            last_rows: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
        }
    }
}

impl SpansBuilder {
    /// Tells whether a row was added.
    pub(super) fn push(&mut self, org: &str, record: &PlaybackRecord) -> bool {
        let hash = self.hasher.hash_one(record.playback.as_str().as_bytes());
        let last = self.last_row(hash, record);
        if let Some(last) = last
            && self.continues(last, record)
        {
            self.from[last] = self.from[last].min(record.span.from());
            self.to[last] = self.to[last].max(record.span.to());
            return false;
        }
        self.remember(hash, record);
        self.org.append_value(org);
        self.event.append_value(record.event.as_str());
        self.playback.append_value(record.playback.as_str());
        self.from.push(record.span.from());
        self.to.push(record.span.to());
        for (builder, attribute) in self.attributes.iter_mut().zip(attributes(record)) {
            builder.append_option(attribute);
        }
        true
    }

    pub(super) fn finish(&mut self) -> RecordBatch {
        self.last_rows.clear();
        let times = |millis: &mut Vec<i64>| {
            Arc::new(TimestampMillisecondArray::from(std::mem::take(millis)).with_timezone("UTC"))
        };
        let [customer, device, device_os, geo_region] = &mut self.attributes;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.org.finish()),
            Arc::new(self.event.finish()),
            Arc::new(self.playback.finish()),
            times(&mut self.from),
            times(&mut self.to),
            Arc::new(customer.finish()),
            Arc::new(device.finish()),
            Arc::new(device_os.finish()),
            Arc::new(geo_region.finish()),
        ];
        RecordBatch::try_new(Table::Spans.schema(), columns)
            .expect("the builders follow the schema")
    }

    fn last_row(&self, hash: u64, record: &PlaybackRecord) -> Option<usize> {
        let is_view = |&row: &usize| is_view(&self.playback, &self.event, row, record);
        self.last_rows.find(hash, is_view).copied()
    }

    /// Whether the record says no more than that the row's span is longer.
    fn continues(&self, row: usize, record: &PlaybackRecord) -> bool {
        let meets = record.span.from() <= self.to[row] && self.from[row] <= record.span.to();
        let mut said = self.attributes.iter().zip(attributes(record));
        meets
            && said.all(|(builder, attribute)| {
                // An absent attribute is never empty, so the two cannot be confused.
                text(builder, row) == attribute.unwrap_or_default().as_bytes()
            })
    }

    /// Makes the row that comes next the last one of the record's view.
    fn remember(&mut self, hash: u64, record: &PlaybackRecord) {
        let next = self.from.len();
        let (playback, event) = (&self.playback, &self.event);
        let is_view = |&row: &usize| is_view(playback, event, row, record);
        let hash_of = |&row: &usize| self.hasher.hash_one(text(playback, row));
        match self.last_rows.entry(hash, is_view, hash_of) {
            Entry::Occupied(mut last) => *last.get_mut() = next,
            Entry::Vacant(none) => {
                none.insert(next);
            }
        }
    }
}

/// The attributes of a record, as the columns have them.
fn attributes(record: &PlaybackRecord) -> [Option<&str>; 4] {
    [
        record.customer.as_ref().map(CustomerId::as_str),
        record.device.as_ref().map(DeviceId::as_str),
        record.device_os.as_deref(),
        record.geo_region.as_deref(),
    ]
}

fn is_view(
    playback: &StringBuilder,
    event: &StringBuilder,
    row: usize,
    record: &PlaybackRecord,
) -> bool {
    text(playback, row) == record.playback.as_str().as_bytes()
        && text(event, row) == record.event.as_str().as_bytes()
}

/// The bytes of a text that was appended; of an absent one none.
fn text(builder: &StringBuilder, row: usize) -> &[u8] {
    let bound = |row: usize| {
        let offset = builder.offsets_slice()[row];
        usize::try_from(offset).expect("offsets are never negative")
    };
    &builder.values_slice()[bound(row)..bound(row + 1)]
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::TimestampMillisecondType;

    use super::*;
    use crate::ids::{EventId, PlaybackId};
    use crate::span::Span;

    fn beat(playback: &str, from: i64, to: i64, device_os: Option<&str>) -> PlaybackRecord {
        PlaybackRecord {
            event: EventId::new("keynote").expect("an id"),
            playback: PlaybackId::new(playback).expect("an id"),
            span: Span::new(from, to).expect("a span"),
            device: None,
            customer: None,
            device_os: device_os.map(str::to_owned),
            geo_region: None,
        }
    }

    fn rows(beats: &[PlaybackRecord]) -> Vec<(String, i64, i64)> {
        let mut builder = SpansBuilder::default();
        for beat in beats {
            builder.push("acme", beat);
        }
        let batch = builder.finish();
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
