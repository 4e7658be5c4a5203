//! The dimension of retention.
//!
//! A view of the plan has the content that it covers, and the views of a viewer come as one list.
//! The list is read row by row into counts of fixed size, so memory does not grow with the views.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::error::DataFusionError;
use datafusion::functions_aggregate::expr_fn::max;
use datafusion::logical_expr::{cast, lit};
use datafusion::prelude::col;
use futures::StreamExt;
use showreport_model::coverage::GAP_MS_MAX;
use showreport_model::facts;
use showreport_model::report::{Dimension, Event, ReportOrder};
use showreport_model::retention::{ContentBuckets, Division, Retention, RetentionRow};
use showreport_model::span::close_gaps;
use showreport_model::table::{Table, Value};
use showreport_model::{Span, Window};

use super::report_rows::ReportRows;
use super::views::{by_identity, covered_views};
use crate::error::Error;
use crate::facts::Facts;
use crate::functions::identities::Identity;
use crate::functions::lists::{Lists, spans_of};
use crate::functions::sets::sets_of;
use crate::functions::spans::span_millis;

/// The curve as a table, with the columns of the report.
pub(super) async fn answer(
    facts: &Facts,
    event: &Event,
    window: Window,
    division: Division,
) -> Result<Table, Error> {
    let rows = retention(facts, event, window, division).await?;
    let cells = |row: &RetentionRow| {
        vec![
            Value::Seconds(row.position_ms),
            Value::Count(row.views),
            Value::Count(row.viewers),
            row.share().map_or(Value::Absent, Value::Number),
        ]
    };
    Ok(Table {
        columns: Dimension::Retention.columns(&[]),
        rows: rows.iter().map(cells).collect(),
    })
}

pub(super) async fn plan(
    facts: &Facts,
    order: &ReportOrder,
    event: &Event,
) -> Result<ReportRows, Error> {
    let division = Division::Width(order.granularity);
    let rows = retention(facts, event, order.window, division).await?;
    let numbers = |number: fn(&RetentionRow) -> i64| {
        Arc::new(rows.iter().map(number).collect::<Int64Array>()) as ArrayRef
    };
    let shares: Float64Array = rows.iter().map(RetentionRow::share).collect();
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("position_seconds", numbers(|row| row.position_ms), false),
        ("views", numbers(|row| row.views), false),
        ("viewers", numbers(|row| row.viewers), false),
        ("share", Arc::new(shares), true),
    ]);
    let batch = batch.map_err(DataFusionError::from)?;
    let frame = facts.serial_context.read_batch(batch)?;
    let columns = order.dimension.columns(&order.group_by);
    Ok(ReportRows::sorted(frame, columns)?)
}

/// The figures of each bucket of the content, in their order. The window picks views with watched
/// time inside, and leaves their coverage whole.
async fn retention(
    facts: &Facts,
    event: &Event,
    window: Window,
    division: Division,
) -> Result<Vec<RetentionRow>, Error> {
    let length = content_length(facts, event).await?;
    let mut retention = Retention::new(ContentBuckets::new(length, division)?);
    let has_time = |column: &str| span_millis().call(vec![col(column)]).gt(lit(0_i64));
    let views = covered_views(facts, window)
        .await?
        .filter(has_time("spans").and(has_time("coverage")))?
        .with_column("spans", col("coverage"))?;
    let mut viewers = by_identity(views, &[])?
        .filter(col("identity").eq(Identity::Viewer.literal()))?
        .select(vec![col("sets")])?
        .execute_stream()
        .await?;
    while let Some(batch) = viewers.next().await {
        let batch = batch?;
        let sets = Lists::new(batch.column(0))?;
        for row in 0..sets.len() {
            let views = sets_of(sets.numbers(row)).map(|set| {
                let covered: Vec<Span> = spans_of(set).collect();
                close_gaps(&covered, GAP_MS_MAX)
            });
            retention.add_viewer(&views.collect::<Vec<_>>());
        }
    }
    Ok(retention.rows().collect())
}

/// The length of the content in milliseconds; 0 if it is unknown.
pub(super) async fn content_length(facts: &Facts, event: &Event) -> Result<i64, Error> {
    match event.duration_ms {
        Some(length) => Ok(length),
        None => furthest(facts).await,
    }
}

/// The end of the furthest coverage of all views, whatever the window; 0 without coverage.
async fn furthest(facts: &Facts) -> Result<i64, Error> {
    let ends = facts
        .frame(facts::Table::Coverage)
        .await?
        .select(vec![cast(col("to_ms"), DataType::Int64).alias("end")])?
        .aggregate(vec![], vec![max(col("end")).alias("furthest")])?;
    let batches = ends.collect().await?;
    let ends = batches.iter().flat_map(|batch| {
        let ends = batch.column(0).as_primitive::<Int64Type>();
        ends.iter().flatten()
    });
    Ok(ends.max().unwrap_or(0))
}
