//! The dimension of poll summaries.

use arrow::datatypes::DataType;
use datafusion::common::JoinType;
use datafusion::error::DataFusionError;
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::logical_expr::{Expr, cast, lit};
use datafusion::prelude::{DataFrame, col};
use showreport_model::Window;
use showreport_model::buckets::Buckets;
use showreport_model::question::POLLS;
use showreport_model::report::{Dimension, ReportOrder};
use showreport_model::table::{Table, Value};

use super::ballots::{ballots, chosen, with_texts};
use super::groups;
use super::origin::{needs_origin, with_origin};
use super::polls::{Polls, polls};
use super::report_rows::ReportRows;
use crate::error::Error;
use crate::facts::Facts;
use crate::unfold::totals::{Total, schema_with, totals};
use crate::unfold::unfolded;

pub(super) async fn plan(
    facts: &Facts,
    order: &ReportOrder,
    buckets: &Buckets,
) -> Result<ReportRows, Error> {
    let polls = polls(facts).await?;
    let ballots = ballots(facts, &polls, order.window).await?;
    let counted = chosen(facts, ballots)?.filter(col("counted"))?;
    if order.group_by.is_empty() {
        let options = every_option(facts, polls, counted).await?;
        return Ok(ReportRows::of_order(order, options, &KEYS)?);
    }
    let counted = if needs_origin(&order.group_by) {
        with_origin(facts, counted).await?
    } else {
        counted
    };
    let counted = counted.with_column("watch_timestamp", groups::bucket_of(buckets, "voted_at"))?;
    let groups: Vec<&str> = order.group_by.iter().map(|field| field.name()).collect();
    let tallied = tallied(facts, counted, &groups).await?;
    let rows = with_texts(facts, &polls, tallied).await?;
    Ok(ReportRows::of_order(order, rows, &KEYS)?)
}

/// Every option of every poll, with the share of its voters.
pub(super) async fn answer(facts: &Facts, window: Window) -> Result<Table, Error> {
    let polls = polls(facts).await?;
    let ballots = ballots(facts, &polls, window).await?;
    let counted = chosen(facts, ballots)?.filter(col("counted"))?;
    let options = every_option(facts, polls, counted).await?;
    let columns = Dimension::PollSummaries.columns(&[]);
    let mut table = ReportRows::sort(options, columns, &KEYS)?.collect().await?;
    table.columns = POLLS.to_vec();
    for row in &mut table.rows {
        let share = match row[..] {
            [.., Value::Count(for_option), Value::Count(voters)] => {
                Value::quotient(for_option, voters, 4)
            }
            _ => Value::Absent,
        };
        row.push(share);
    }
    Ok(table)
}

/// The other columns of a poll and of an option follow from these.
const KEYS: [&str; 2] = ["poll_id", "option_id"];

/// Every option of every poll, zeros included.
async fn every_option(facts: &Facts, polls: Polls, counted: DataFrame) -> Result<DataFrame, Error> {
    let tallied = tallied(facts, counted, &[]).await?.select(vec![
        col("poll_id").alias("voted_in"),
        col("option_id").alias("voted_for"),
        col("votes").alias("some_votes"),
        col("voters").alias("some_voters"),
    ])?;
    let tallied = facts.staged("tallied", tallied).await?;
    let or_none = |figure: Expr| coalesce(vec![figure, lit(0_i64)]);
    let options = polls.options.join(
        tallied,
        JoinType::Left,
        &["poll_id", "option_id"],
        &["voted_in", "voted_for"],
        None,
    )?;
    // An option without votes shows the voters of its poll too.
    let keys = ["poll_id"];
    Ok(with_total(
        facts,
        options,
        &keys,
        Total::Max,
        "some_voters",
        "poll_voters",
    )
    .await?
    .with_column("votes", or_none(col("some_votes")))?
    .with_column("voters", or_none(col("poll_voters")))?)
}

/// For each poll, option and group with a counted vote: its `votes`, and the `voters` of the poll
/// in the group.
pub(super) async fn tallied(
    facts: &Facts,
    counted: DataFrame,
    groups: &[&str],
) -> Result<DataFrame, Error> {
    let of_poll: Vec<&str> = ["poll_id"].iter().chain(groups).copied().collect();
    let mut of_option: Vec<Expr> = of_poll.iter().map(|name| groups::key(name)).collect();
    of_option.push(col("option_id"));
    // Each ballot has one first row, so the number of first rows is the number of voters.
    let ballots = sum(cast(col("is_first"), DataType::Int64));
    let options = counted.aggregate(
        of_option,
        vec![count(lit(1)).alias("votes"), ballots.alias("ballots")],
    )?;
    with_total(facts, options, &of_poll, Total::Sum, "ballots", "voters").await
}

/// The rows with a new column: the total of the column `figure` over the rows with the same keys.
async fn with_total(
    facts: &Facts,
    rows: DataFrame,
    keys: &[&str],
    total: Total,
    figure: &str,
    name: &str,
) -> Result<DataFrame, Error> {
    let order = keys.iter().map(|key| col(*key).sort(true, true));
    let rows = rows.sort(order.collect())?;
    let index = |name: &str| rows.schema().as_arrow().index_of(name);
    let indices = keys.iter().map(|key| index(key));
    let indices = indices.collect::<Result<_, _>>();
    let (indices, figure) = (
        indices.map_err(DataFusionError::from)?,
        index(figure).map_err(DataFusionError::from)?,
    );
    let totals = totals(indices, figure, total, name.to_owned());
    let columns = schema_with(rows.schema().as_arrow(), name);
    unfolded(&facts.wide_context, rows, Some(columns), totals).await
}
