//! The dimension of poll votes.

use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::lit;
use datafusion::prelude::col;
use showreport_model::buckets::Buckets;
use showreport_model::question::RowRange;
use showreport_model::report::{Dimension, ReportOrder};
use showreport_model::table::Table;
use showreport_model::{PollId, Window};

use super::ballots::{ballots, chosen, with_texts};
use super::groups;
use super::origin::{needs_origin, with_origin, with_origin_of_few};
use super::polls::polls;
use super::report_rows::{ReportRows, page_of};
use crate::error::Error;
use crate::facts::Facts;

pub(super) async fn plan(
    facts: &Facts,
    order: &ReportOrder,
    buckets: &Buckets,
) -> Result<ReportRows, Error> {
    let polls = polls(facts).await?;
    let chosen = chosen(facts, ballots(facts, &polls, order.window).await?)?;
    if order.group_by.is_empty() {
        let rows = with_texts(facts, &polls, with_origin(facts, chosen).await?).await?;
        return Ok(ReportRows::of_order(order, rows, &VOTE_KEYS)?);
    }
    let counted = chosen.filter(col("counted"))?;
    let counted = if needs_origin(&order.group_by) {
        with_origin(facts, counted).await?
    } else {
        counted
    };
    let mut keys = vec![col("poll_id"), col("option_id")];
    keys.extend(groups::keys(&order.group_by));
    let votes = counted
        .with_column("watch_timestamp", groups::bucket_of(buckets, "voted_at"))?
        .aggregate(keys, vec![count(lit(1)).alias("votes")])?;
    Ok(ReportRows::of_order(
        order,
        votes,
        &["poll_id", "option_id"],
    )?)
}

/// A part of the report's votes in a poll.
pub(super) async fn page(
    facts: &Facts,
    window: Window,
    poll: &PollId,
    rows: RowRange,
) -> Result<Table, Error> {
    let polls = polls(facts).await?;
    let of_poll = ballots(facts, &polls, window)
        .await?
        .filter(col("poll_id").eq(lit(poll.as_str())))?;
    let page = page_of(chosen(facts, of_poll)?, rows, &VOTE_KEYS)?;
    let page = with_texts(facts, &polls, with_origin_of_few(facts, page).await?).await?;
    let columns = Dimension::PollVotes.columns(&[]);
    Ok(ReportRows::sort(page, columns, &VOTE_KEYS)?
        .collect()
        .await?)
}

/// Without the texts of poll and option, which follow from their ids, and without OS and region,
/// which follow from customer and device.
const VOTE_KEYS: [&str; 7] = [
    "poll_id",
    "voted_at",
    "customer_id",
    "device_id",
    "name",
    "option_id",
    "counted",
];
