//! The audience curve of an event.
//!
//! The engine merges the spans of each viewer and sorts the instants at which viewers join and
//! leave, which can spill. The sweep over them is one of `model`.

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{cast, lit, not};
use datafusion::prelude::{DataFrame, col};
use futures::{StreamExt, try_join};
use showreport_model::audience::{AudienceCurve, AudienceRow, Counted, Resolution};
use showreport_model::question::{AUDIENCE, Answer};
use showreport_model::table::{Table, Value};
use showreport_model::{Timestamp, Window, Zone};

use super::ballots::ballots;
use super::chat_histories::messages;
use super::polls::polls;
use super::views::{IDENTITIES, by_viewer, is_watched, views_with};
use crate::error::Error;
use crate::facts::Facts;
use crate::functions::edges::{edges_of, edges_of_sets};

pub(super) async fn answer(
    facts: &Facts,
    zone: &Zone,
    window: Window,
    resolution: Resolution,
) -> Result<Answer, Error> {
    let (messages, votes) = try_join!(
        messages_by_second(facts, window),
        votes_by_second(facts, window)
    )?;
    let curve = swept(facts, zone, window, resolution, [&messages, &votes]).await?;
    let Some(mut curve) = curve else {
        return Ok(Answer {
            table: table_of(&[]),
            ..Answer::default()
        });
    };
    for (counted, by_second) in [(Counted::Messages, &messages), (Counted::Votes, &votes)] {
        for &(at, count) in by_second {
            curve.count(counted, at, count);
        }
    }
    let (granularity, rows) = curve.into_rows();
    Ok(Answer {
        table: table_of(&rows),
        granularity: Some(granularity),
        ..Answer::default()
    })
}

/// The curve of viewers, from the first to the last instant of the window, or with facts where the
/// window has no bound; `None` without such an instant.
async fn swept(
    facts: &Facts,
    zone: &Zone,
    window: Window,
    resolution: Resolution,
    counted: [&[(i64, i64)]; 2],
) -> Result<Option<AudienceCurve>, Error> {
    let seconds = || counted.into_iter().flatten().map(|(at, _)| *at);
    let mut edges = edges(facts, window).await?.execute_stream().await?;
    let mut curve = window
        .start
        .map(|start| AudienceCurve::new(resolution, zone, start.as_millis()));
    let mut last = seconds().max();
    while let Some(batch) = edges.next().await {
        let batch = batch?;
        for edge in edges_of(batch.column(0).as_primitive::<Int64Type>().values()) {
            let curve = curve.get_or_insert_with(|| {
                let first = seconds().chain([edge.at]).min().unwrap_or(edge.at);
                AudienceCurve::new(resolution, zone, first)
            });
            curve.edge(edge)?;
            last = last.max(Some(edge.at - 1));
        }
    }
    let curve = match (curve, seconds().min()) {
        (None, Some(first)) => Some(AudienceCurve::new(resolution, zone, first)),
        (curve, _) => curve,
    };
    let last = window.end.map(|end| end.as_millis() - 1).or(last);
    let (Some(mut curve), Some(last)) = (curve, last) else {
        return Ok(None);
    };
    curve.end(last)?;
    Ok(Some(curve))
}

/// The instants at which viewers join and leave, ascending.
async fn edges(facts: &Facts, window: Window) -> Result<DataFrame, Error> {
    let edges = edges_of_sets().call(vec![col("sets")]);
    let views = views_with(facts, window, &IDENTITIES).await?;
    Ok(by_viewer(views.filter(is_watched())?, &[])?
        .select(vec![edges.alias("edge")])?
        .unnest_columns(&["edge"])?
        .sort(vec![col("edge").sort(true, true)])?)
}

async fn messages_by_second(facts: &Facts, window: Window) -> Result<Vec<(i64, i64)>, Error> {
    let kept = messages(facts, window).await?.filter(not(col("deleted")))?;
    by_second(kept, "sent_at").await
}

async fn votes_by_second(facts: &Facts, window: Window) -> Result<Vec<(i64, i64)>, Error> {
    let polls = polls(facts).await?;
    let counted = ballots(facts, &polls, window)
        .await?
        .filter(col("counted").and(col("chose").not_eq(lit(""))))?;
    by_second(counted, "voted_at").await
}

/// The rows by second: the first millisecond of each and its number of rows, in no
/// order. Buckets begin at whole seconds.
async fn by_second(rows: DataFrame, time: &str) -> Result<Vec<(i64, i64)>, Error> {
    let second = cast(col(time), DataType::Int64) / lit(1_000_i64);
    let counts = rows
        .select(vec![second.alias("second")])?
        .aggregate(vec![col("second")], vec![count(lit(1)).alias("rows")])?;
    let mut by_second = Vec::new();
    for batch in counts.collect().await? {
        let [seconds, rows] = [0, 1].map(|it| batch.column(it).as_primitive::<Int64Type>());
        let seconds = seconds.values().iter().map(|second| second * 1_000);
        by_second.extend(seconds.zip(rows.values().iter().copied()));
    }
    Ok(by_second)
}

fn table_of(rows: &[AudienceRow]) -> Table {
    let cells = |row: &AudienceRow| {
        vec![
            Timestamp::from_millis(row.at).map_or(Value::Absent, Value::Time),
            Value::Count(row.peak_viewers),
            Value::quotient(row.attended_millis, row.width, 3),
            Value::Count(row.joined),
            Value::Count(row.left),
            Value::Count(row.messages),
            Value::Count(row.votes),
        ]
    };
    Table {
        columns: AUDIENCE.to_vec(),
        rows: rows.iter().map(cells).collect(),
    }
}
