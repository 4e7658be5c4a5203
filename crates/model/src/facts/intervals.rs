//! Rows of an interval and some texts, which are merged as they are added: intervals of equal texts
//! that overlap, touch or are near become one row.
//!
//! A player sends an interval every few seconds, and repeats it if there was no response. A
//! thousand intervals that follow each other are kept as one. An interval that is not near the last
//! row of its texts gets a row of its own.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, NullBufferBuilder, StringArray};
use arrow::buffer::OffsetBuffer;
use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};

use crate::ids::OrgId;
use crate::span::Span;

/// Builds rows with this number of texts. Intervals at most `GAP_MAX` apart are merged.
#[derive(Debug, Default)]
pub(super) struct IntervalsBuilder<const TEXTS: usize, const GAP_MAX: i64> {
    rows: Vec<Row<TEXTS>>,
    /// The texts of all rows, one after the other. An interval is compared with a row in one place
    /// of memory instead of a column for each text.
    texts: Vec<u8>,
    /// The last row of each set of texts.
    last_rows: HashTable<usize>,
    hasher: DefaultHashBuilder,
}

#[derive(Debug, Clone, Copy)]
struct Row<const TEXTS: usize> {
    from: i64,
    to: i64,
    hash: u64,
    /// Offset of its texts.
    start: usize,
    /// Their lengths. 0 is an absent text; texts that are present are never empty.
    lengths: [u16; TEXTS],
}

impl<const TEXTS: usize> Row<TEXTS> {
    fn texts<'a>(&self, texts: &'a [u8]) -> &'a [u8] {
        let length: usize = self.lengths.iter().copied().map(usize::from).sum();
        &texts[self.start..self.start + length]
    }
}

/// The rows as columns.
pub(super) struct Intervals<const TEXTS: usize> {
    /// The organisation, once for each row.
    pub(super) orgs: ArrayRef,
    pub(super) from: Vec<i64>,
    pub(super) to: Vec<i64>,
    pub(super) texts: [ArrayRef; TEXTS],
}

impl<const TEXTS: usize, const GAP_MAX: i64> IntervalsBuilder<TEXTS, GAP_MAX> {
    /// Adds an interval with its texts, an absent one empty. True if it became a new row.
    pub(super) fn push(&mut self, interval: Span, texts: [&str; TEXTS]) -> bool {
        // The texts are appended before the search and removed if no row is added.
        let row = self.row(interval, texts);
        let (rows, texts) = (&mut self.rows, &self.texts);
        let is_same = |&other: &usize| {
            let other: &Row<TEXTS> = &rows[other];
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
                if row.from <= same.to + GAP_MAX && same.from <= row.to + GAP_MAX {
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

    /// Adds rows that are columns.
    pub(super) fn add(&mut self, from: &[i64], to: &[i64], columns: [&StringArray; TEXTS]) {
        for (row, (&from, &to)) in from.iter().zip(to).enumerate() {
            if let Some(interval) = Span::new(from, to) {
                self.push(interval, columns.map(|column| text_or_empty(column, row)));
            }
        }
    }

    /// Copies the rows of another builder. They are not merged: the flush does that.
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
    pub(super) fn finish(&mut self, org: &OrgId) -> Option<Intervals<TEXTS>> {
        let Self { rows, texts, .. } = std::mem::take(self);
        if rows.is_empty() {
            return None;
        }
        let orgs = std::iter::repeat_n(org.as_str(), rows.len());
        Some(Intervals {
            orgs: Arc::new(StringArray::from_iter_values(orgs)),
            from: rows.iter().map(|row| row.from).collect(),
            to: rows.iter().map(|row| row.to).collect(),
            texts: text_columns(&rows, &texts),
        })
    }

    /// Bytes of the rows in memory.
    pub(super) const fn memory_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<Row<TEXTS>>() + self.texts.capacity()
    }

    /// Makes a row and appends its texts.
    fn row(&mut self, interval: Span, texts: [&str; TEXTS]) -> Row<TEXTS> {
        let start = self.texts.len();
        let lengths = texts.map(|text| {
            self.texts.extend_from_slice(text.as_bytes());
            u16::try_from(text.len()).expect("texts of records are short")
        });
        let mut hasher = self.hasher.build_hasher();
        lengths.hash(&mut hasher);
        hasher.write(&self.texts[start..]);
        Row {
            from: interval.from(),
            to: interval.to(),
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
fn text_columns<const TEXTS: usize>(rows: &[Row<TEXTS>], texts: &[u8]) -> [ArrayRef; TEXTS] {
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
        let texts = StringArray::try_new(offsets, values.into(), present.finish());
        Arc::new(texts.expect("they were texts")) as ArrayRef
    })
}
