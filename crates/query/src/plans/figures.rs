//! The figures of an event as a whole.

use arrow::array::AsArray;
use arrow::datatypes::{Int8Type, Int64Type};
use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::logical_expr::{ScalarUDF, lit, not};
use datafusion::prelude::{DataFrame, col};
use showreport_model::report::Event;
use showreport_model::{Timestamp, Window};

use super::ballots::ballots;
use super::chat_histories::{counted, messages};
use super::polls::polls;
use super::views::{by_identity, views};
use crate::error::Error;
use crate::facts::Facts;
use crate::functions::aggregate::aggregate;
use crate::functions::identities::Identity;
use crate::functions::peak::PeakViewers;
use crate::functions::sets::{sets_count, sets_millis, sets_union, union_millis};
use crate::functions::spans::span_millis;

/// The figures of an event.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Figures {
    /// Distinct playbacks.
    pub views: u64,
    /// Distinct viewers.
    pub viewers: u64,
    /// Distinct devices.
    pub devices: u64,
    /// Milliseconds watched, summed over views.
    pub watch_millis: u64,
    /// Milliseconds attended, summed over viewers.
    pub attended_millis: u64,
    /// The most viewers at one instant.
    pub peak_viewers: u64,
    /// The first such instant.
    pub peak_at: Option<Timestamp>,
    /// Attended minutes inside the event's window by the minutes of the window, if it has one.
    pub average_minute_audience: Option<f64>,
    /// Messages not deleted.
    pub messages: u64,
    /// Distinct senders of these messages.
    pub senders: u64,
    /// Votes that count, withdrawals left out.
    pub votes: u64,
}

pub(crate) async fn figures(facts: &Facts, event: &Event) -> Result<Figures, Error> {
    let mut figures = Figures::default();
    watched(facts, Window::ALL, &mut figures).await?;
    figures.average_minute_audience = average_minute_audience(facts, event).await?;
    let kept = messages(facts, Window::ALL)
        .await?
        .filter(not(col("deleted")))?;
    let [messages, senders] = row(
        counted(kept.with_column("all", lit(1))?, vec![col("all")])?,
        ["messages", "senders"],
    )
    .await?;
    figures.messages = messages;
    figures.senders = senders;
    let polls = polls(facts).await?;
    let counted = ballots(facts, &polls, Window::ALL)
        .await?
        .filter(col("counted").and(col("chose").not_eq(lit(""))))?
        .aggregate(vec![], vec![count(lit(1)).alias("votes")])?;
    [figures.votes] = row(counted, ["votes"]).await?;
    Ok(figures)
}

/// Fills in the figures of views, viewers and devices.
async fn watched(facts: &Facts, window: Window, figures: &mut Figures) -> Result<(), Error> {
    let millis = || span_millis().call(vec![col("spans")]);
    let views = views(facts, window)
        .await?
        .filter(millis().gt(lit(0_i64)))?;
    let of_sets = |figure: ScalarUDF| figure.call(vec![col("sets")]);
    let peak = aggregate(PeakViewers).call(vec![of_sets(sets_union())]);
    let by_identity = by_identity(views, &[])?.aggregate(
        vec![col("identity")],
        vec![
            sum(of_sets(sets_count())).alias("views"),
            count(lit(1)).alias("identities"),
            sum(of_sets(sets_millis())).alias("watched"),
            sum(of_sets(union_millis())).alias("attended"),
            peak.alias("peak"),
        ],
    )?;
    for batch in by_identity.collect().await? {
        for row in 0..batch.num_rows() {
            let number = |column: usize| {
                unsigned(batch.column(column).as_primitive::<Int64Type>().value(row))
            };
            let identity = batch.column(0).as_primitive::<Int8Type>().value(row);
            if identity == Identity::Device as i8 {
                figures.devices = number(2);
                continue;
            }
            // Every view has exactly one viewer, so the sets of viewers hold every view once.
            figures.views = number(1);
            figures.viewers = number(2);
            figures.watch_millis = number(3);
            figures.attended_millis = number(4);
            let peak = batch.column(5).as_list::<i32>().value(row);
            let peak = peak.as_primitive::<Int64Type>();
            if peak.len() == 2 {
                figures.peak_viewers = unsigned(peak.value(0));
                figures.peak_at = Timestamp::from_millis(peak.value(1)).ok();
            }
        }
    }
    Ok(())
}

async fn average_minute_audience(facts: &Facts, event: &Event) -> Result<Option<f64>, Error> {
    let (Some(start), Some(end)) = (event.starts_at, event.ends_at) else {
        return Ok(None);
    };
    let window = Window {
        start: Some(start),
        end: Some(end),
    };
    if !window.is_possible() {
        return Ok(None);
    }
    let mut inside = Figures::default();
    watched(facts, window, &mut inside).await?;
    let window_millis = unsigned(end.as_millis() - start.as_millis());
    #[expect(
        clippy::cast_precision_loss,
        reason = "a quotient for people; both numbers are far below 2^53"
    )]
    let audience = inside.attended_millis as f64 / window_millis as f64;
    Ok(Some(audience))
}

/// The named figures of a frame of one row; zeros without a row.
async fn row<const N: usize>(frame: DataFrame, names: [&str; N]) -> Result<[u64; N], Error> {
    let batches = frame.select(names.map(col).to_vec())?.collect().await?;
    let row = batches.iter().find(|batch| batch.num_rows() > 0);
    Ok(std::array::from_fn(|column| {
        row.map_or(0, |batch| {
            let figures = batch.column(column).as_primitive::<Int64Type>();
            unsigned(figures.value(0))
        })
    }))
}

fn unsigned(figure: i64) -> u64 {
    u64::try_from(figure).expect("figures are never negative")
}
