//! The daily watch-time file: the views that began on a day, with all their time, also after
//! midnight.

use std::collections::BTreeMap;

use datafusion::functions_aggregate::expr_fn::sum;
use datafusion::logical_expr::{Expr, lit};
use datafusion::prelude::col;
use showreport_model::report::{DAILY_WATCH_TIME, Event};
use showreport_model::{EventId, Window};

use super::report_rows::ReportRows;
use super::views::views;
use crate::error::Error;
use crate::facts::Facts;
use crate::functions::lookup::lookup;
use crate::functions::spans::span_millis;
use crate::single_pass::high_cardinality;

pub(crate) async fn plan(
    facts: &Facts,
    day: Window,
    events: &BTreeMap<EventId, Event>,
) -> Result<ReportRows, Error> {
    let registered = |name: &str, text: fn(&Event) -> Option<String>| -> Expr {
        let texts = events.iter();
        let texts = texts.filter_map(|(id, event)| Some((id.to_string(), text(event)?)));
        lookup(name, texts.collect()).call(vec![col("event_id")])
    };
    let mut started = views(facts, Window::ALL).await?;
    if let Some(start) = day.start {
        started = started.filter(col("first_from").gt_eq(lit(start.as_millis())))?;
    }
    if let Some(end) = day.end {
        started = started.filter(col("first_from").lt(lit(end.as_millis())))?;
    }
    let watched = sum(span_millis().call(vec![col("spans")]));
    let rows = started
        .aggregate(
            vec![col("event_id"), high_cardinality("customer_id")],
            vec![watched.alias("watch_time_seconds")],
        )?
        .with_column("title", registered("title", |event| event.title.clone()))?
        .with_column(
            "streaming_type",
            registered("kind", |event| Some(event.kind?.name().to_owned())),
        )?
        .with_column(
            "created_time",
            registered("starts", |event| Some(event.starts_at?.to_string())),
        )?
        .with_column_renamed("event_id", "content_id")?;
    let columns = DAILY_WATCH_TIME.to_vec();
    Ok(ReportRows::sort(
        rows,
        columns,
        &["title", "content_id", "customer_id"],
    )?)
}
