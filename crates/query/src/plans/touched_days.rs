//! Which events a day has facts of, and which days an event reaches.
//!
//! Both may name too many, never too few: a file that is made again and says
//! the same is no new report.

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::functions_aggregate::expr_fn::{max, min};
use datafusion::logical_expr::{Expr, cast, lit};
use datafusion::prelude::{DataFrame, col};
use showreport_model::bulk::ReportType;
use showreport_model::facts::Table;
use showreport_model::time::MILLIS_PER_DAY;
use showreport_model::{EventId, Timestamp, Window};

use super::chat_histories::was_sent;
use crate::error::Error;
use crate::facts::Facts;

/// From when until when, both included.
pub type Interval = (Timestamp, Timestamp);

/// The times that things of an event reach, of those that were touched.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reach {
    /// Of its views.
    pub watched: Vec<Interval>,
    /// Of its messages.
    pub said: Vec<Interval>,
    /// Of the votes in its polls.
    pub voted: Vec<Interval>,
}

impl Reach {
    /// The times of which a type of report speaks.
    pub fn of(&self, report_type: ReportType) -> &[Interval] {
        match table_of(report_type) {
            Table::Spans => &self.watched,
            Table::Chat => &self.said,
            Table::Polls | Table::Votes => &self.voted,
        }
    }
}

/// The table whose facts have the time that a type of report goes by.
pub(crate) const fn table_of(report_type: ReportType) -> Table {
    match report_type {
        ReportType::WatchTime | ReportType::Customers => Table::Spans,
        ReportType::ChatMessages => Table::Chat,
        ReportType::PollSummaries | ReportType::PollVotes => Table::Votes,
    }
}

/// The columns of a table by which a fact begins and ends.
fn times(table: Table) -> (Expr, Expr) {
    let millis = |name: &str| cast(col(name), DataType::Int64);
    match table {
        // The last millisecond inside.
        Table::Spans => (millis("from_time"), millis("to_time") - lit(1_i64)),
        Table::Chat => (millis("sent_at"), millis("sent_at")),
        Table::Polls | Table::Votes => (millis("voted_at"), millis("voted_at")),
    }
}

/// Whether a row has a time: of messages, all have but deletions by id alone.
fn has_time(table: Table) -> Expr {
    match table {
        Table::Chat => was_sent(),
        Table::Spans | Table::Polls | Table::Votes => lit(true),
    }
}

/// The events with facts inside the window, sorted.
pub(crate) async fn events_within(
    facts: &Facts,
    table: Table,
    window: Window,
) -> Result<Vec<EventId>, Error> {
    let (from, to) = times(table);
    let start = window.start.unwrap_or(Timestamp::MIN).as_millis();
    let end = window.end.unwrap_or(Timestamp::MAX).as_millis();
    let inside = from.lt(lit(end)).and(to.gt_eq(lit(start)));
    let events = facts
        .frame_within(table, window)
        .await?
        .filter(inside)?
        .select(vec![
            cast(col("event_id"), DataType::Utf8).alias("event_id"),
        ])?
        .distinct()?;
    let mut ids = Vec::new();
    for batch in events.collect().await? {
        let column = batch.column(0).as_string::<i32>();
        ids.extend(
            column
                .iter()
                .flatten()
                .filter_map(|id| EventId::new(id).ok()),
        );
    }
    ids.sort_unstable();
    Ok(ids)
}

/// The times that are reached by what has a fact at or after `earliest`.
pub(crate) async fn reach(facts: &Facts, earliest: Timestamp) -> Result<Reach, Error> {
    Ok(Reach {
        watched: intervals(facts, Table::Spans, "playback_id", earliest).await?,
        said: intervals(facts, Table::Chat, "message_id", earliest).await?,
        voted: intervals(facts, Table::Votes, "poll_id", earliest).await?,
    })
}

/// From the first fact to the last of each thing, things of the same UTC days together.
async fn intervals(
    facts: &Facts,
    table: Table,
    id: &str,
    earliest: Timestamp,
) -> Result<Vec<Interval>, Error> {
    let (from, to) = times(table);
    let keys = facts.key_columns(&[id]);
    let ends = [from.alias("from"), to.alias("to")];
    let things = facts
        .frame(table)
        .await?
        .filter(has_time(table))?
        .select(keys.iter().cloned().chain(ends).collect::<Vec<_>>())?
        .aggregate(
            keys,
            vec![
                min(col("from")).alias("first"),
                max(col("to")).alias("last"),
            ],
        )?
        .filter(col("last").gt_eq(lit(earliest.as_millis())))?;
    read(of_same_days(things)?).await
}

fn of_same_days(things: DataFrame) -> Result<DataFrame, Error> {
    let day = |name: &str| col(name) / lit(MILLIS_PER_DAY);
    let days = vec![
        day("first").alias("first_day"),
        day("last").alias("last_day"),
    ];
    Ok(things
        .aggregate(
            days,
            vec![
                min(col("first")).alias("from"),
                max(col("last")).alias("to"),
            ],
        )?
        .select(vec![col("from"), col("to")])?)
}

async fn read(intervals: DataFrame) -> Result<Vec<Interval>, Error> {
    let mut read = Vec::new();
    for batch in intervals.collect().await? {
        let [from, to] = [0, 1].map(|column| batch.column(column).as_primitive::<Int64Type>());
        for row in 0..batch.num_rows() {
            let ends = (
                Timestamp::from_millis(from.value(row)),
                Timestamp::from_millis(to.value(row)),
            );
            if let (Ok(from), Ok(to)) = ends {
                read.push((from, to));
            }
        }
    }
    read.sort_unstable();
    Ok(read)
}
