//! [`Follow`]: from where curves change to what they are in each bucket.

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

/// The curves, in the order of [`Levels`].
const CURVES: [i8; 3] = [VIEWS, VIEWERS, DEVICES];

/// The figures of a bucket, in the order of their columns.
const FIGURES: [&str; 5] = [
    "views",
    "viewers",
    "devices",
    "watch_seconds",
    "attended_seconds",
];

/// What the rows that are made have: the attributes, the bucket and its figures.
pub(crate) fn schema_of(attributes: &[&str]) -> SchemaRef {
    let attributes = attributes.iter();
    let mut fields: Vec<Field> = attributes
        .map(|name| Field::new(*name, DataType::Utf8, true))
        .collect();
    fields.push(Field::new("watch_timestamp", time_type(), false));
    fields.extend(FIGURES.map(|name| Field::new(name, DataType::Int64, false)));
    Arc::new(Schema::new(fields))
}

/// Rows of [`schema_of`], at most so many, made of rows that are sorted by these attributes, as text,
/// and `index`: the attributes, then `index`, `curves`, `millis`, `filled` and `present`.
pub(crate) fn follow(attributes: &[&str], buckets: Buckets, rows_max: u64) -> Unfolder {
    let (schema, attributes) = (schema_of(attributes), attributes.len());
    Arc::new(move || {
        Box::new(Follow {
            buckets: buckets.clone(),
            batch: None,
            group: None,
            levels: [Level::default(); 3],
            at: 0,
            until: 0,
            made: Made::new(Arc::clone(&schema), attributes),
            rows_left: rows_max,
            rows_max,
            ended: false,
        })
    })
}

struct Follow {
    buckets: Buckets,
    /// What is being read, and the first row that is not yet.
    batch: Option<(RecordBatch, usize)>,
    /// The attributes of the group that is followed.
    group: Option<Vec<Option<String>>>,
    levels: [Level; 3],
    /// The bucket of `levels`.
    at: i64,
    /// The bucket before which nothing changes any more.
    until: i64,
    made: Made,
    rows_left: u64,
    rows_max: u64,
    ended: bool,
}

impl Unfold for Follow {
    fn push(&mut self, batch: RecordBatch) -> Result<()> {
        self.batch = Some((batch, 0));
        Ok(())
    }

    fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            self.go()?;
            if self.made.rows == BATCH_ROWS {
                return self.made.finish().map(Some);
            }
            if self.read() {
                continue;
            }
            if self.ended && self.made.rows > 0 {
                return self.made.finish().map(Some);
            }
            return Ok(None);
        }
    }

    fn end(&mut self) -> Result<()> {
        self.ended = true;
        Ok(())
    }
}

impl Follow {
    /// Makes a row of each bucket up to the next change, or as many as fill a batch.
    fn go(&mut self) -> Result<()> {
        while self.at < self.until && self.made.rows < BATCH_ROWS {
            if self.levels[0].sets() == 0 {
                // There is no viewer before the next change.
                self.levels.iter_mut().for_each(Level::step);
                self.at = self.until;
                return Ok(());
            }
            let rows_left = self.rows_left.checked_sub(1);
            self.rows_left = rows_left.ok_or_else(|| {
                let rows_max = self.rows_max;
                DataFusionError::External(Box::new(TooManyRows { rows_max }))
            })?;
            let start = self.buckets.start(self.at);
            let width = self.buckets.start(self.at + 1) - start;
            let [views, viewers, devices] = self.levels;
            let figures = [
                views.sets(),
                viewers.sets(),
                devices.sets(),
                views.millis(width),
                viewers.millis(width),
            ];
            let group = self.group.as_deref().unwrap_or_default();
            self.made.add(group, start, figures);
            self.levels.iter_mut().for_each(Level::step);
            self.at += 1;
        }
        Ok(())
    }

    /// Takes in the next change, or learns in which bucket it is; false where none is there.
    fn read(&mut self) -> bool {
        let Some((batch, row)) = &mut self.batch else {
            return false;
        };
        if *row == batch.num_rows() {
            self.batch = None;
            return false;
        }
        let attributes = self.made.attributes;
        let number = |column: usize| {
            let numbers = batch.column(attributes + column);
            numbers.as_primitive::<Int64Type>().value(*row)
        };
        let index = number(0);
        let texts = || (0..attributes).map(|column| text(batch.column(column), *row));
        let goes_on = self.group.as_ref().is_some_and(|group| {
            let known = group.iter().map(Option::as_deref);
            known.eq(texts())
        });
        if !goes_on {
            // Whatever a group begins it ends, so nothing of the last one is left.
            self.group = Some(texts().map(|text| text.map(str::to_owned)).collect());
            self.levels = [Level::default(); 3];
            (self.at, self.until) = (index, index);
        }
        if index > self.at {
            self.until = index;
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

/// Rows that are made, column by column.
struct Made {
    schema: SchemaRef,
    attributes: usize,
    texts: Vec<StringBuilder>,
    starts: TimestampMillisecondBuilder,
    figures: [Int64Builder; 5],
    rows: usize,
}

impl Made {
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
