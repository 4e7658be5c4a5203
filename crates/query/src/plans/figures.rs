//! The figures of an event as a whole.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Int8Type, Int64Type};
use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::logical_expr::{ScalarUDF, cast, lit, not};
use datafusion::prelude::{DataFrame, col};
use futures::try_join;
use showreport_model::figures::Figures;
use showreport_model::report::Event;
use showreport_model::sweep::Peak;
use showreport_model::{EventId, Window};

use super::ballots::ballots;
use super::chat_histories::{counted, messages};
use super::polls::polls;
use super::retention::content_length;
use super::views::{IDENTITIES, by_hash, covered_views, is_watched, views_with, with_identity};
use crate::error::Error;
use crate::facts::Facts;
use crate::functions::aggregate::aggregate;
use crate::functions::coverage::covered_millis;
use crate::functions::identities::{Identity, person_of, viewer_hash};
use crate::functions::peak::PeakViewers;
use crate::functions::sets::{
    sets_count, sets_millis, sets_union, union_millis, union_millis_within,
};

pub(crate) async fn figures(
    facts: &Facts,
    event: &Event,
    window: Window,
) -> Result<Figures, Error> {
    let mut figures = Figures {
        content_length_millis: content_length(facts, event).await?,
        window_millis: event.window_millis().unwrap_or(0),
        ..Figures::default()
    };
    // The engine's threads are idle while one of these is planned or merges its last rows.
    let ((), messages, votes) = try_join!(
        watched(facts, event, window, &mut figures),
        messages_and_senders(facts, window),
        votes_and_voters(facts, window),
    )?;
    [figures.messages, figures.senders] = messages;
    [figures.votes, figures.voters] = votes;
    Ok(figures)
}

async fn messages_and_senders(facts: &Facts, window: Window) -> Result<[i64; 2], Error> {
    let kept = messages(facts, window).await?.filter(not(col("deleted")))?;
    row(counted(kept, vec![])?, ["messages", "senders"]).await
}

async fn votes_and_voters(facts: &Facts, window: Window) -> Result<[i64; 2], Error> {
    let polls = polls(facts).await?;
    let by_voter = ballots(facts, &polls, window)
        .await?
        .filter(col("counted").and(col("chose").not_eq(lit(""))))?
        .with_column(
            "person",
            person_of().call(vec![col("customer_id"), col("device_id")]),
        )?
        .aggregate(vec![col("person")], vec![count(lit(1)).alias("of_voter")])?
        .aggregate(
            vec![],
            vec![
                sum(col("of_voter")).alias("votes"),
                count(lit(1)).alias("voters"),
            ],
        )?;
    row(by_voter, ["votes", "voters"]).await
}

/// Fills in the figures of views, viewers, devices and content.
async fn watched(
    facts: &Facts,
    event: &Event,
    window: Window,
    figures: &mut Figures,
) -> Result<(), Error> {
    let live = event.window();
    let by_identity = identities(facts, window, figures.content_length_millis).await?;
    let of_sets = |figure: ScalarUDF| figure.call(vec![col("sets")]);
    let live = live.map_or(lit(0_i64), |live| of_sets(union_millis_within(live)));
    let peak = aggregate(PeakViewers).call(vec![of_sets(sets_union())]);
    let by_identity = by_identity.aggregate(
        vec![col("identity")],
        vec![
            sum(of_sets(sets_count())).alias("views"),
            count(lit(1)).alias("identities"),
            sum(of_sets(sets_millis())).alias("watched"),
            sum(of_sets(union_millis())).alias("attended"),
            sum(live).alias("live"),
            sum(col("content")).alias("content"),
            sum(col("covered")).alias("covered"),
            peak.alias("peak"),
        ],
    )?;
    for batch in by_identity.collect().await? {
        for row in 0..batch.num_rows() {
            let number =
                |column: usize| batch.column(column).as_primitive::<Int64Type>().value(row);
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
            figures.live_millis = number(5);
            figures.content_millis = number(6);
            figures.covered_views = number(7);
            let peak = batch.column(8).as_list::<i32>().value(row);
            let peak = peak.as_primitive::<Int64Type>();
            figures.peak = (peak.len() == 2).then(|| Peak {
                viewers: peak.value(0),
                at: peak.value(1),
            });
        }
    }
    Ok(())
}

/// The watched views by identity, with the milliseconds of `content` that each view has played and
/// whether it has `covered` any.
async fn identities(facts: &Facts, window: Window, length: i64) -> Result<DataFrame, Error> {
    let content = covered_millis(length).call(vec![col("coverage")]);
    let views = covered_views(facts, window)
        .await?
        .filter(is_watched())?
        .with_column("content", content)?
        .with_column(
            "covered",
            cast(col("content").gt(lit(0_i64)), DataType::Int64),
        )?;
    let numbers = ["content", "covered"];
    Ok(with_identity(by_hash(views, &[], &numbers)?, &numbers)?)
}

/// The viewers of each event that has any.
pub(crate) async fn viewers_of_events(facts: &Facts) -> Result<BTreeMap<EventId, i64>, Error> {
    let ids = ["playback_id", "customer_id", "device_id"]
        .map(col)
        .to_vec();
    let viewers = views_with(facts, Window::ALL, &IDENTITIES)
        .await?
        .filter(is_watched())?
        .select(vec![
            cast(col("event_id"), DataType::Utf8).alias("event_id"),
            viewer_hash().call(ids).alias("hash"),
        ])?
        .distinct()?
        .aggregate(vec![col("event_id")], vec![count(lit(1)).alias("viewers")])?;
    let mut viewers_of = BTreeMap::new();
    for batch in viewers.collect().await? {
        let (events, viewers) = (batch.column(0).as_string::<i32>(), batch.column(1));
        let viewers = viewers.as_primitive::<Int64Type>().values().iter();
        for (event, viewers) in events.iter().flatten().zip(viewers) {
            if let Ok(event) = EventId::new(event) {
                viewers_of.insert(event, *viewers);
            }
        }
    }
    Ok(viewers_of)
}

/// The named figures of a frame of one row; zeros without a row.
async fn row<const N: usize>(frame: DataFrame, names: [&str; N]) -> Result<[i64; N], Error> {
    let batches = frame.select(names.map(col).to_vec())?.collect().await?;
    let row = batches.iter().find(|batch| batch.num_rows() > 0);
    Ok(std::array::from_fn(|column| {
        let figures = row.map(|batch| batch.column(column).as_primitive::<Int64Type>());
        let figure = figures.filter(|figures| figures.is_valid(0));
        figure.map_or(0, |figures| figures.value(0))
    }))
}
