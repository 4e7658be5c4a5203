//! [`BucketRows`]: from the changes of curves to a row for each bucket.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Builder, RecordBatch, StringArray, StringBuilder,
    TimestampMillisecondBuilder,
};
use arrow::datatypes::{DataType, Field, Int8Type, Int64Type, Schema, SchemaRef};
use datafusion::error::{DataFusionError, Result};
use showreport_model::buckets::Buckets;
use showreport_model::curve::{Change, Level};
use showreport_model::facts::time_type;

use super::{Unfold, Unfolder};
use crate::embedded::BATCH_ROWS;
use crate::error::TooManyRows;
use crate::functions::curves::{DEVICES, VIEWERS, VIEWS};

/// In the order of [`BucketRows::levels`].
const CURVES: [i8; 3] = [VIEWS, VIEWERS, DEVICES];

/// The columns of figures, in their order.
const FIGURES: [&str; 5] = [
    "views",
    "viewers",
    "devices",
    "watch_seconds",
    "attended_seconds",
];

/// The output columns: the attributes, the start of the bucket and its figures.
pub(crate) fn schema_of(attributes: &[&str]) -> SchemaRef {
    let attributes = attributes.iter();
    let mut fields: Vec<Field> = attributes
        .map(|name| Field::new(*name, DataType::Utf8, true))
        .collect();
    fields.push(Field::new("watch_timestamp", time_type(), false));
    fields.extend(FIGURES.map(|name| Field::new(name, DataType::Int64, false)));
    Arc::new(Schema::new(fields))
}

/// Computes rows of [`schema_of`], at most `rows_max`.
///
/// The input columns are the attributes, as text, then `index`, `curves`, `millis`, `filled` and
/// `present`. The rows are sorted by attributes and `index`.
pub(crate) fn bucket_rows(attributes: &[&str], buckets: Buckets, rows_max: u64) -> Unfolder {
    let (schema, attributes) = (schema_of(attributes), attributes.len());
    Arc::new(move || {
        Box::new(BucketRows {
            buckets: buckets.clone(),
            batch: None,
            group: None,
            levels: [Level::default(); 3],
            bucket: 0,
            next_change: 0,
            output: OutputBatch::new(Arc::clone(&schema), attributes),
            rows_left: rows_max,
            rows_max,
            ended: false,
        })
    })
}

struct BucketRows {
    buckets: Buckets,
    /// The input batch, and the first row that was not read.
    batch: Option<(RecordBatch, usize)>,
    /// The attributes of the current group.
    group: Option<Vec<Option<String>>>,
    levels: [Level; 3],
    /// The bucket of `levels`.
    bucket: i64,
    /// Before this bucket no curve changes.
    next_change: i64,
    output: OutputBatch,
    rows_left: u64,
    rows_max: u64,
    ended: bool,
}

impl Unfold for BucketRows {
    fn push(&mut self, batch: RecordBatch) -> Result<()> {
        self.batch = Some((batch, 0));
        Ok(())
    }

    fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            self.fill()?;
            if self.output.rows == BATCH_ROWS {
                return self.output.finish().map(Some);
            }
            if self.read() {
                continue;
            }
            if self.ended && self.output.rows > 0 {
                return self.output.finish().map(Some);
            }
            return Ok(None);
        }
    }

    fn end(&mut self) -> Result<()> {
        self.ended = true;
        Ok(())
    }
}

impl BucketRows {
    /// Adds a row for each bucket before the next change, until the batch is full.
    fn fill(&mut self) -> Result<()> {
        while self.bucket < self.next_change && self.output.rows < BATCH_ROWS {
            if self.levels[0].sets() == 0 {
                // No viewer before the next change: these buckets have no rows.
                self.levels.iter_mut().for_each(Level::step);
                self.bucket = self.next_change;
                return Ok(());
            }
            let rows_left = self.rows_left.checked_sub(1);
            self.rows_left = rows_left.ok_or_else(|| {
                let rows_max = self.rows_max;
                DataFusionError::External(Box::new(TooManyRows { rows_max }))
            })?;
            let start = self.buckets.start(self.bucket);
            let width = self.buckets.start(self.bucket + 1) - start;
            let [views, viewers, devices] = self.levels;
            let figures = [
                views.sets(),
                viewers.sets(),
                devices.sets(),
                views.millis(width),
                viewers.millis(width),
            ];
            let group = self.group.as_deref().unwrap_or_default();
            self.output.add(group, start, figures);
            self.levels.iter_mut().for_each(Level::step);
            self.bucket += 1;
        }
        Ok(())
    }

    /// Applies the next change if it is in the current bucket; otherwise sets `next_change`. False
    /// at the end of the input batch.
    fn read(&mut self) -> bool {
        let Some((batch, row)) = &mut self.batch else {
            return false;
        };
        if *row == batch.num_rows() {
            self.batch = None;
            return false;
        }
        let attributes = self.output.attributes;
        let number = |column: usize| {
            let numbers = batch.column(attributes + column);
            numbers.as_primitive::<Int64Type>().value(*row)
        };
        let index = number(0);
        let texts = || (0..attributes).map(|column| text(batch.column(column), *row));
        let is_same_group = self.group.as_ref().is_some_and(|group| {
            let attributes = group.iter().map(Option::as_deref);
            attributes.eq(texts())
        });
        if !is_same_group {
            // Every span of the last group has ended, so its levels are zero.
            self.group = Some(texts().map(|text| text.map(str::to_owned)).collect());
            self.levels = [Level::default(); 3];
            (self.bucket, self.next_change) = (index, index);
        }
        if index > self.bucket {
            self.next_change = index;
            return true;
        }
        let change = Change {
            millis: number(2),
            filled: number(3),
            present: number(4),
        };
        let changed = batch.column(attributes + 1).as_primitive::<Int8Type>();
        let changed = changed.value(*row);
        for (level, curve) in self.levels.iter_mut().zip(CURVES) {
            if changed & curve != 0 {
                level.add(change);
            }
        }
        *row += 1;
        true
    }
}

fn text(column: &ArrayRef, row: usize) -> Option<&str> {
    let texts: &StringArray = column.as_string();
    texts.is_valid(row).then(|| texts.value(row))
}

/// The output batch, column by column.
struct OutputBatch {
    schema: SchemaRef,
    attributes: usize,
    texts: Vec<StringBuilder>,
    starts: TimestampMillisecondBuilder,
    figures: [Int64Builder; 5],
    rows: usize,
}

impl OutputBatch {
    fn new(schema: SchemaRef, attributes: usize) -> Self {
        Self {
            schema,
            attributes,
            texts: (0..attributes).map(|_| StringBuilder::new()).collect(),
            starts: TimestampMillisecondBuilder::new().with_timezone("UTC"),
            figures: Default::default(),
            rows: 0,
        }
    }

    fn add(&mut self, group: &[Option<String>], start: i64, figures: [i64; 5]) {
        for (builder, text) in self.texts.iter_mut().zip(group) {
            builder.append_option(text.as_deref());
        }
        self.starts.append_value(start);
        for (builder, figure) in self.figures.iter_mut().zip(figures) {
            builder.append_value(figure);
        }
        self.rows += 1;
    }

    fn finish(&mut self) -> Result<RecordBatch> {
        let texts = self.texts.iter_mut();
        let mut columns: Vec<ArrayRef> = texts
            .map(|builder| Arc::new(builder.finish()) as ArrayRef)
            .collect();
        columns.push(Arc::new(self.starts.finish()));
        for builder in &mut self.figures {
            columns.push(Arc::new(builder.finish()));
        }
        self.rows = 0;
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}
