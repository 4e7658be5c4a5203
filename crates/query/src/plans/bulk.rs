//! Plans of bulk reports: a day of many events.
//!
//! The figures come from the plans of event reports, with the event as a further key. So event
//! reports and bulk reports have the same figures.

use std::collections::BTreeMap;

use arrow::datatypes::DataType;
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{Expr, cast, lit};
use datafusion::prelude::{DataFrame, col};
use showreport_model::bulk::{DayOrder, ReportType};
use showreport_model::report::Event;
use showreport_model::{EventId, Window};

use super::ballots::{ballots, chosen, with_texts};
use super::chat_histories::messages;
use super::poll_summaries::tallied;
use super::polls::polls;
use super::report_rows::ReportRows;
use super::views::{is_watched, views};
use super::watch_time::in_all;
use crate::error::Error;
use crate::facts::Facts;
use crate::functions::lookup::lookup;

/// The plan for a day of the events that `facts` are about.
pub(crate) async fn plan(
    facts: &Facts,
    order: &DayOrder,
    events: &BTreeMap<EventId, Event>,
) -> Result<ReportRows, Error> {
    let (report_type, window) = (order.report_type, order.window);
    // The columns in which no two rows are equal.
    let (rows, keys): (DataFrame, &[&str]) = match report_type {
        ReportType::WatchTime => (
            watched(facts, window, &["event_id", "device_os", "geo_region"]).await?,
            &["event_id", "device_os", "geo_region"],
        ),
        ReportType::Customers => (
            watched(facts, window, &["event_id", "customer_id"]).await?,
            &["event_id", "customer_id"],
        ),
        ReportType::ChatMessages => (messages(facts, window).await?, &["event_id", "message_id"]),
        ReportType::PollSummaries => {
            let polls = polls(facts).await?;
            let ballots = ballots(facts, &polls, window).await?;
            let counted = chosen(facts, ballots)?.filter(col("counted"))?;
            let tallied = tallied(facts, counted, &["event_id"]).await?;
            let rows = with_texts(facts, &polls, tallied).await?;
            (rows, &["event_id", "poll_id", "option_id"])
        }
        ReportType::PollVotes => (
            chosen(facts, ballots(facts, &polls(facts).await?, window).await?)?,
            &[
                "event_id",
                "poll_id",
                "option_id",
                "customer_id",
                "device_id",
                "voted_at",
                "counted",
            ],
        ),
    };
    let names = events.values();
    let names = names.filter_map(|it| Some((it.id.to_string(), it.kind?.name().to_owned())));
    let event_type = lookup("event_type", names.collect()).call(vec![col("event_id")]);
    let rows = rows
        .with_column("date", lit(order.day.digits()))?
        .with_column("event_type", event_type)?;
    let columns = report_type.columns().to_vec();
    Ok(ReportRows::sort(rows, columns, keys)?)
}

/// The figures of views in each group, in the units of bulk reports.
async fn watched(facts: &Facts, window: Window, groups: &[&str]) -> Result<DataFrame, Error> {
    let views = views(facts, window).await?.filter(is_watched())?;
    Ok(in_minutes(in_all(views, groups)?)?)
}

/// The plan of watch time gives milliseconds in `watch_seconds` and `attended_seconds`.
fn in_minutes(figures: DataFrame) -> EngineResult<DataFrame> {
    let number = |value: Expr| cast(value, DataType::Float64);
    let minutes = |millis: &str| number(col(millis)) / lit(60_000.0);
    let average = number(col("watch_seconds")) / number(col("views") * lit(1000_i64));
    figures
        .with_column("watch_time_minutes", minutes("watch_seconds"))?
        .with_column("attended_minutes", minutes("attended_seconds"))?
        .with_column("average_view_duration_seconds", average)
}
