//! Concurrent and total viewers of an event.

use datafusion::functions_aggregate::expr_fn::{count, max};
use datafusion::logical_expr::lit;
use datafusion::prelude::col;
use showreport_model::report::Event;
use showreport_model::{Timestamp, Window};

use arrow::array::{Array, AsArray};
use arrow::datatypes::DataType;
use arrow::datatypes::Int64Type;
use datafusion::logical_expr::cast;

use super::views::{by_identity, views};
use crate::error::Error;
use crate::facts::Facts;
use crate::functions::identities::Identity;
use crate::functions::sets::sets_union;
use crate::functions::spans::{span_end, span_millis};

/// Viewers of an event at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Viewers {
    /// Viewers with a span in the 30 seconds before `at`.
    pub concurrent: u64,
    /// Viewers with a span before `at`.
    pub total: u64,
    /// Now, or the last instant that was watched.
    pub at: Timestamp,
}

/// Viewers of an event, of its live window, and of the time after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Audience {
    pub all: Viewers,
    /// Inside the event's window.
    pub live: Viewers,
    /// After the event's window; zero while it is not over.
    pub recorded: Viewers,
}

/// A view with a span in the last 30 seconds counts as concurrent: players send a record every ten
/// seconds, for the ten seconds before.
const WATCHING_MS: i64 = 30_000;

/// Without records for a minute, no viewer counts as concurrent.
const SILENT_MS: i64 = 60_000;

pub(crate) async fn audience(
    facts: &Facts,
    event: &Event,
    now: Timestamp,
) -> Result<Audience, Error> {
    let until_now = |start: Option<Timestamp>, end: Option<Timestamp>| Window {
        start,
        end: Some(end.map_or(now, |end| end.min(now))),
    };
    let is_over = event.ends_at.is_some_and(|end| end <= now);
    let ends_at = event.ends_at.filter(|_| is_over);
    let recorded = match ends_at {
        Some(end) => viewers(facts, until_now(Some(end), None), now, Silence::Zero).await?,
        None => Viewers {
            concurrent: 0,
            total: 0,
            at: now,
        },
    };
    let silence = if is_over {
        Silence::KeepsLast
    } else {
        Silence::Zero
    };
    Ok(Audience {
        all: viewers(facts, until_now(None, None), now, silence).await?,
        live: viewers(facts, until_now(None, ends_at), now, silence).await?,
        recorded,
    })
}

/// The concurrent viewers when no records have come for [`SILENT_MS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Silence {
    /// Those of the last instant that was watched: the event is over.
    KeepsLast,
    Zero,
}

async fn viewers(
    facts: &Facts,
    window: Window,
    now: Timestamp,
    silence: Silence,
) -> Result<Viewers, Error> {
    let (total, last) = within(facts, window).await?;
    let last = last.unwrap_or(now);
    let is_silent = last.saturating_add_millis(SILENT_MS) < now;
    if is_silent && silence == Silence::Zero {
        return Ok(Viewers {
            concurrent: 0,
            total,
            at: now,
        });
    }
    let watching = last.saturating_add_millis(-WATCHING_MS);
    let lately = Window {
        start: Some(window.start.map_or(watching, |start| start.max(watching))),
        end: Some(last),
    };
    let (concurrent, _) = within(facts, lately).await?;
    Ok(Viewers {
        concurrent,
        total,
        at: last,
    })
}

/// The viewers with any time inside the window, and the last instant in it that was watched.
async fn within(facts: &Facts, window: Window) -> Result<(u64, Option<Timestamp>), Error> {
    if !window.is_possible() {
        return Ok((0, None));
    }
    let watched = span_millis().call(vec![col("spans")]).gt(lit(0_i64));
    let views = views(facts, window).await?.filter(watched)?;
    let union = sets_union().call(vec![col("sets")]);
    let end = cast(span_end().call(vec![union]), DataType::Int64);
    let viewers = by_identity(views, &[])?
        .filter(col("identity").eq(Identity::Viewer.literal()))?
        .select(vec![end.alias("end"), lit(1_i64).alias("all")])?
        .aggregate(
            vec![col("all")],
            vec![
                count(lit(1)).alias("viewers"),
                max(col("end")).alias("last"),
            ],
        )?;
    for batch in viewers.collect().await? {
        if batch.num_rows() > 0 {
            let [viewers, last] = [1, 2].map(|it| batch.column(it).as_primitive::<Int64Type>());
            let last = last.is_valid(0).then(|| last.value(0));
            let last = last.and_then(|millis| Timestamp::from_millis(millis).ok());
            return Ok((viewers.value(0).unsigned_abs(), last));
        }
    }
    Ok((0, None))
}
