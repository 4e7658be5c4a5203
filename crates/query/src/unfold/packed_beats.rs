//! [`PackedBeats`]: from rows of beats to a row for each run of rows of one view.
//!
//! A view of an hour has hundreds of beats, which are next to each other in the files of the lake.
//! Grouping them as they are would hash and send each of them. Here the rows of a run become one
//! row with the beats in a list, before they are sent to the partition that groups them.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, Int64Array, RecordBatch,
    StringBuilder, TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use datafusion::error::Result;
use showreport_model::beats::Beats;
use showreport_model::claims::Beat;

use super::{Unfold, Unfolder};
use crate::embedded::BATCH_ROWS;
use crate::functions::lists::{ListsBuilder, numbers_type};

/// An output batch ends after this many numbers of its lists, about a megabyte.
const NUMBERS_MAX: usize = 128 << 10;

/// The output columns: the keys and the attributes as text, then the list `beats`.
pub(crate) fn schema_of(keys: &[&str], attributes: &[&str]) -> SchemaRef {
    let keys = keys
        .iter()
        .map(|name| Field::new(*name, DataType::Utf8, false));
    let attributes = attributes
        .iter()
        .map(|name| Field::new(*name, DataType::Utf8, true));
    let beats = Field::new("beats", numbers_type(), true);
    let fields: Vec<Field> = keys.chain(attributes).chain([beats]).collect();
    Arc::new(Schema::new(fields))
}

/// Computes rows of [`schema_of`].
///
/// The input columns are the keys and the attributes, as dictionaries of texts, then `seq`, `at` and
/// `playing`. Rows of a view that are apart give several rows. Each attribute is the least of the
/// run.
pub(crate) fn packed_beats(keys: &[&str], attributes: &[&str]) -> Unfolder {
    let (schema, keys) = (schema_of(keys, attributes), keys.len());
    let texts = keys + attributes.len();
    Arc::new(move || {
        Box::new(PackedBeats {
            keys,
            run: None,
            output: OutputBatch::new(Arc::clone(&schema), texts),
            ended: false,
        })
    })
}

struct PackedBeats {
    /// How many of the columns are keys.
    keys: usize,
    run: Option<Run>,
    output: OutputBatch,
    ended: bool,
}

/// The rows of one view that were read last.
struct Run {
    /// The keys, and the least text of each attribute.
    texts: Vec<Option<String>>,
    beats: Beats,
}

impl Unfold for PackedBeats {
    fn push(&mut self, batch: RecordBatch) -> Result<()> {
        let input = Input::of(&batch, self.output.texts.len());
        let mut from = 0;
        for to in input.ends() {
            self.read(&input, from..to);
            from = to;
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Option<RecordBatch>> {
        if self.output.is_full() || self.ended && self.output.rows > 0 {
            return self.output.finish().map(Some);
        }
        Ok(None)
    }

    fn end(&mut self) -> Result<()> {
        self.ended = true;
        if let Some(run) = self.run.take() {
            self.output.add(run);
        }
        Ok(())
    }
}

impl PackedBeats {
    /// Reads rows with equal texts.
    fn read(&mut self, input: &Input<'_>, rows: Range<usize>) {
        let texts = input.texts.iter().map(|column| text(column, rows.start));
        let texts: Vec<Option<&str>> = texts.collect();
        let (keys, attributes) = texts.split_at(self.keys);
        let ended = self.run.take_if(|run| {
            let mut kept = run.texts.iter().map(Option::as_deref);
            !keys.iter().all(|key| kept.next() == Some(*key))
        });
        if let Some(ended) = ended {
            self.output.add(ended);
        }
        let run = self.run.get_or_insert_with(|| Run {
            texts: texts.iter().map(|text| text.map(str::to_owned)).collect(),
            beats: Beats::default(),
        });
        for (kept, text) in run.texts[self.keys..].iter_mut().zip(attributes) {
            if let Some(text) = text
                && kept.as_deref().is_none_or(|kept| *text < kept)
            {
                *kept = Some((*text).to_owned());
            }
        }
        if input.seq.null_count() > 0 {
            rows.for_each(|row| run.beats.insert(input.beat(row)));
            return;
        }
        let (seq, at) = (
            &input.seq.values()[rows.clone()],
            &input.at.values()[rows.clone()],
        );
        let playing = input.playing.values();
        let is_playing = |row: usize| playing.value(rows.start + row);
        run.beats.insert_numbered(seq, at, is_playing);
    }
}

/// The columns of an input batch, downcast once.
struct Input<'a> {
    texts: Vec<&'a DictionaryArray<Int32Type>>,
    seq: &'a Int64Array,
    at: &'a TimestampMillisecondArray,
    playing: &'a BooleanArray,
}

impl<'a> Input<'a> {
    fn of(batch: &'a RecordBatch, texts: usize) -> Self {
        let (text_columns, others) = batch.columns().split_at(texts);
        Self {
            texts: text_columns.iter().map(AsArray::as_dictionary).collect(),
            seq: others[0].as_primitive(),
            at: others[1].as_primitive(),
            playing: others[2].as_boolean(),
        }
    }

    /// The ends of ranges of rows with equal texts, seen without reading them: they have equal keys.
    /// The next range may have the same texts, since a dictionary may hold a text twice.
    fn ends(&self) -> Vec<usize> {
        let rows = self.at.len();
        let mut ends = vec![false; rows];
        for texts in &self.texts {
            let keys = texts.keys().values();
            let pairs = keys.iter().zip(keys.iter().skip(1));
            for (ends, (key, next)) in ends.iter_mut().zip(pairs) {
                *ends |= key != next;
            }
            if let Some(nulls) = texts.nulls().filter(|nulls| nulls.null_count() > 0) {
                for (row, ends) in ends.iter_mut().take(rows.saturating_sub(1)).enumerate() {
                    *ends |= nulls.is_valid(row) != nulls.is_valid(row + 1);
                }
            }
        }
        if let Some(last) = ends.last_mut() {
            *last = true;
        }
        let ends = ends.into_iter().enumerate();
        ends.filter_map(|(row, ends)| ends.then_some(row + 1))
            .collect()
    }

    fn beat(&self, row: usize) -> Beat {
        Beat {
            seq: self.seq.is_valid(row).then(|| self.seq.value(row)),
            at: self.at.value(row),
            playing: self.playing.values().value(row),
        }
    }
}

/// The text of a row; `None` for null.
fn text(texts: &DictionaryArray<Int32Type>, row: usize) -> Option<&str> {
    let values = texts.values().as_string::<i32>();
    texts.key(row).map(|key| values.value(key))
}

/// The output batch, column by column.
struct OutputBatch {
    schema: SchemaRef,
    texts: Vec<StringBuilder>,
    beats: ListsBuilder,
    rows: usize,
    numbers: usize,
}

impl OutputBatch {
    fn new(schema: SchemaRef, texts: usize) -> Self {
        Self {
            schema,
            texts: (0..texts).map(|_| StringBuilder::new()).collect(),
            beats: ListsBuilder::with_capacity(0),
            rows: 0,
            numbers: 0,
        }
    }

    fn is_full(&self) -> bool {
        self.rows >= BATCH_ROWS || self.numbers >= NUMBERS_MAX
    }

    fn add(&mut self, mut run: Run) {
        for (builder, text) in self.texts.iter_mut().zip(&run.texts) {
            builder.append_option(text.as_deref());
        }
        self.beats.push_with(|numbers| {
            let before = numbers.len();
            run.beats.append_numbers(numbers);
            self.numbers += numbers.len() - before;
        });
        self.rows += 1;
    }

    fn finish(&mut self) -> Result<RecordBatch> {
        let texts = self.texts.iter_mut();
        let mut columns: Vec<ArrayRef> = texts
            .map(|builder| Arc::new(builder.finish()) as ArrayRef)
            .collect();
        let empty = ListsBuilder::with_capacity(self.rows);
        columns.push(std::mem::replace(&mut self.beats, empty).finish());
        (self.rows, self.numbers) = (0, 0);
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

#[cfg(test)]
mod tests {
    use crate::functions::lists::Lists;

    use super::*;

    type Row = (&'static str, Option<&'static str>, Option<i64>, i64);

    fn batch(rows: &[Row]) -> RecordBatch {
        let keys: DictionaryArray<Int32Type> = rows.iter().map(|row| Some(row.0)).collect();
        let attributes: DictionaryArray<Int32Type> = rows.iter().map(|row| row.1).collect();
        let seq: Int64Array = rows.iter().map(|row| row.2).collect();
        let at: TimestampMillisecondArray = rows.iter().map(|row| Some(row.3)).collect();
        let playing: BooleanArray = rows.iter().map(|row| Some(row.3 % 2 == 0)).collect();
        let columns: [(&str, ArrayRef); 5] = [
            ("playback_id", Arc::new(keys)),
            ("name", Arc::new(attributes)),
            ("seq", Arc::new(seq)),
            ("at", Arc::new(at)),
            ("playing", Arc::new(playing)),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
            .expect("a batch")
    }

    /// The runs, with the beats of each.
    fn runs(rows: &[Row], batch_rows: usize) -> Vec<(String, Option<String>, Vec<i64>)> {
        let mut unfold = packed_beats(&["playback_id"], &["name"])();
        let mut batches = Vec::new();
        for rows in rows.chunks(batch_rows) {
            unfold.push(batch(rows)).expect("pushed");
            batches.extend(unfold.next().expect("a batch"));
        }
        unfold.end().expect("ended");
        batches.extend(unfold.next().expect("a batch"));
        assert_eq!(unfold.next().expect("none"), None);
        let mut runs = Vec::new();
        for batch in batches {
            let [keys, names] = [0, 1].map(|column| batch.column(column).as_string::<i32>());
            let lists = Lists::new(batch.column(2)).expect("lists");
            for row in 0..batch.num_rows() {
                let name = names.is_valid(row).then(|| names.value(row).to_owned());
                runs.push((
                    keys.value(row).to_owned(),
                    name,
                    lists.numbers(row).to_vec(),
                ));
            }
        }
        runs
    }

    fn packed(rows: &[Row]) -> Vec<i64> {
        let (mut beats, mut numbers) = (Beats::default(), Vec::new());
        for &(_, _, seq, at) in rows {
            let playing = at % 2 == 0;
            beats.insert(Beat { seq, at, playing });
        }
        beats.append_numbers(&mut numbers);
        numbers
    }

    #[test]
    fn rows_of_a_view_become_one_row_with_batches_of_any_size() {
        let long = "a playback id that is longer than twelve bytes";
        let rows: [Row; 7] = [
            (long, Some("b"), Some(0), 10),
            (long, None, Some(1), 21),
            (long, Some("a"), Some(2), 30),
            (long, Some("c"), None, 7),
            ("p2", None, Some(0), 4),
            (long, None, Some(9), 40),
            (long, Some("z"), Some(8), 44),
        ];
        let wanted = [
            (long.to_owned(), Some("a".to_owned()), packed(&rows[..4])),
            ("p2".to_owned(), None, packed(&rows[4..5])),
            (long.to_owned(), Some("z".to_owned()), packed(&rows[5..])),
        ];
        for batch_rows in 1..=rows.len() {
            assert_eq!(runs(&rows, batch_rows), wanted, "{batch_rows}");
        }
    }

    #[test]
    fn a_batch_of_long_lists_ends_early() {
        let mut beats = Beats::default();
        for number in 0..40_000 {
            beats.insert(Beat {
                seq: None,
                at: number * number,
                playing: true,
            });
        }
        let mut output = OutputBatch::new(schema_of(&["playback_id"], &[]), 1);
        while !output.is_full() {
            let texts = vec![Some("p".to_owned())];
            let beats = beats.clone();
            output.add(Run { texts, beats });
        }
        let batch = output.finish().expect("a batch");
        assert!(batch.num_rows() < 50, "{}", batch.num_rows());
        assert_eq!((output.rows, output.numbers), (0, 0));
    }
}
