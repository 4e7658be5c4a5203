//! Which events have facts on a day, and which times are dirty when facts of events have changed.
//!
//! Both may return too much, never too little: a bulk report that is made again from the same facts
//! has the same bytes and is not published.

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::functions_aggregate::expr_fn::{max, min};
use datafusion::logical_expr::{Expr, cast, lit};
use datafusion::prelude::{DataFrame, col};
use showreport_model::bulk::ReportType;
use showreport_model::claims::CLAIM_MS_MAX;
use showreport_model::facts::Table;
use showreport_model::time::MILLIS_PER_DAY;
use showreport_model::{EventId, Timestamp, Window};

use super::chat_histories::was_sent;
use crate::error::Error;
use crate::facts::Facts;

/// First and last instant, both included.
pub type Interval = (Timestamp, Timestamp);

/// The times of all facts of the views, messages and polls that have changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DirtyTimes {
    pub views: Vec<Interval>,
    pub messages: Vec<Interval>,
    /// Of the votes in changed polls.
    pub votes: Vec<Interval>,
}

impl DirtyTimes {
    /// The times that decide the days of a report type.
    pub fn of(&self, report_type: ReportType) -> &[Interval] {
        match table_of(report_type) {
            Table::Spans | Table::Beats | Table::Coverage => &self.views,
            Table::Chat => &self.messages,
            Table::Polls | Table::Votes => &self.votes,
        }
    }
}

/// The table with the times that decide the day of a fact in a report type.
pub(crate) const fn table_of(report_type: ReportType) -> Table {
    match report_type {
        ReportType::WatchTime | ReportType::Customers => Table::Spans,
        ReportType::ChatMessages => Table::Chat,
        ReportType::PollSummaries | ReportType::PollVotes => Table::Votes,
    }
}

/// The first and the last millisecond of a fact.
fn times(table: Table) -> (Expr, Expr) {
    let millis = |name: &str| cast(col(name), DataType::Int64);
    match table {
        Table::Spans | Table::Coverage => (millis("from_time"), millis("to_time") - lit(1_i64)),
        Table::Beats => (millis("at"), millis("at")),
        Table::Chat => (millis("sent_at"), millis("sent_at")),
        Table::Polls | Table::Votes => (millis("voted_at"), millis("voted_at")),
    }
}

/// Whether a row has a time. Only deletions of messages by id alone have none.
fn has_time(table: Table) -> Expr {
    match table {
        Table::Chat => was_sent(),
        _ => lit(true),
    }
}

/// The events with facts inside the window, sorted. For views, also those with beats.
pub(crate) async fn events_within(
    facts: &Facts,
    table: Table,
    window: Window,
) -> Result<Vec<EventId>, Error> {
    let mut ids = events_of(facts, table, window).await?;
    if table == Table::Spans {
        // A beat outside of the window can claim time inside.
        let moved = |at: Option<Timestamp>, millis| Some(at?.saturating_add_millis(millis));
        let window = Window {
            start: moved(window.start, -CLAIM_MS_MAX),
            end: moved(window.end, CLAIM_MS_MAX),
        };
        ids.extend(events_of(facts, Table::Beats, window).await?);
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

async fn events_of(facts: &Facts, table: Table, window: Window) -> Result<Vec<EventId>, Error> {
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
    Ok(ids)
}

/// The times of views, messages and polls that have a fact at or after `earliest`.
pub(crate) async fn dirty_times(facts: &Facts, earliest: Timestamp) -> Result<DirtyTimes, Error> {
    Ok(DirtyTimes {
        views: intervals(
            facts,
            &[Table::Spans, Table::Beats],
            "playback_id",
            earliest,
        )
        .await?,
        messages: intervals(facts, &[Table::Chat], "message_id", earliest).await?,
        votes: intervals(facts, &[Table::Votes], "poll_id", earliest).await?,
    })
}

/// From the first to the last fact of each view, message or poll; intervals of the same UTC days
/// are merged. The claims of beats lie between the first and the last beat of their view.
async fn intervals(
    facts: &Facts,
    tables: &[Table],
    id: &str,
    earliest: Timestamp,
) -> Result<Vec<Interval>, Error> {
    let keys = facts.key_columns(&[id]);
    let group_keys = match tables {
        // A poll has many votes.
        [Table::Votes] => keys.clone(),
        _ => facts.unique_keys(id),
    };
    let mut rows: Option<DataFrame> = None;
    for &table in tables {
        let (from, to) = times(table);
        let ends = [from.alias("from"), to.alias("to")];
        let mut of_table = facts
            .frame(table)
            .await?
            .filter(has_time(table))?
            .select(keys.iter().cloned().chain(ends).collect::<Vec<_>>())?;
        if table == Table::Beats {
            // A view has hundreds of beats, so two passes send far fewer rows than one.
            let ends = [("from", min(col("from"))), ("to", max(col("to")))];
            let ends = ends.map(|(name, end)| end.alias(name)).to_vec();
            of_table = of_table.aggregate(keys.clone(), ends)?;
        }
        rows = Some(match rows {
            Some(rows) => rows.union(of_table)?,
            None => of_table,
        });
    }
    let Some(rows) = rows else {
        return Ok(Vec::new());
    };
    let intervals = rows
        .aggregate(
            group_keys,
            vec![
                min(col("from")).alias("first"),
                max(col("to")).alias("last"),
            ],
        )?
        .filter(col("last").gt_eq(lit(earliest.as_millis())))?;
    read(merged_by_days(intervals)?).await
}

fn merged_by_days(intervals: DataFrame) -> Result<DataFrame, Error> {
    let day = |name: &str| col(name) / lit(MILLIS_PER_DAY);
    let days = vec![
        day("first").alias("first_day"),
        day("last").alias("last_day"),
    ];
    Ok(intervals
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
