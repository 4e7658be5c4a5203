//! How often each option of each poll was chosen.

use arrow::datatypes::DataType;
use datafusion::common::JoinType;
use datafusion::error::Result as EngineResult;
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::functions_aggregate::min_max::max_udaf;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{AggregateUDF, Expr, ExprFunctionExt, cast, lit};
use datafusion::prelude::{DataFrame, col};
use showreport_model::report::ReportOrder;
use std::sync::Arc;

use super::answer::{Answer, Column};
use super::ballots::{ballots, chosen, with_texts};
use super::groups::{self, Clockwork};
use super::origin::{needs_origin, with_origin};
use super::polls::{Polls, polls};
use crate::error::Error;
use crate::facts::Facts;

pub(super) async fn plan(
    facts: &Facts,
    order: &ReportOrder,
    clockwork: &Clockwork,
) -> Result<Answer, Error> {
    let polls = polls(facts).await?;
    let ballots = ballots(facts, &polls, order.window).await?;
    let counted = chosen(facts, ballots)?.filter(col("counted"))?;
    if order.group_by.is_empty() {
        return every_option(facts, polls, counted).await;
    }
    let counted = if needs_origin(&order.group_by) {
        with_origin(facts, counted).await?
    } else {
        counted
    };
    let counted = counted.with_column("watch_timestamp", clockwork.bucket_of("voted_at"))?;
    let tallied = tallied(counted, &groups::keys(&order.group_by))?;
    let rows = with_texts(facts, &polls, tallied).await?;
    let mut columns = vec![
        Column::text("poll_id"),
        Column::text("question").settled(),
        Column::text("option_id"),
        Column::text("option_text").settled(),
    ];
    columns.extend(groups::columns(&order.group_by));
    columns.extend([Column::count("votes"), Column::count("voters")]);
    Ok(Answer::new(rows, columns)?)
}

/// Every option of every poll, zeros included.
async fn every_option(facts: &Facts, polls: Polls, counted: DataFrame) -> Result<Answer, Error> {
    let tallied = tallied(counted, &[])?.select(vec![
        col("poll_id").alias("voted_in"),
        col("option_id").alias("voted_for"),
        col("votes").alias("some_votes"),
        col("voters").alias("some_voters"),
    ])?;
    let tallied = facts.staged("tallied", tallied).await?;
    let or_none = |figure: Expr| coalesce(vec![figure, lit(0_i64)]);
    // An option that nobody chose shows the voters of its poll all the same.
    let voters = over(max_udaf(), col("some_voters"), vec![col("poll_id")])?;
    let rows = polls
        .options
        .join(
            tallied,
            JoinType::Left,
            &["poll_id", "option_id"],
            &["voted_in", "voted_for"],
            None,
        )?
        .window(vec![voters.alias("poll_voters")])?
        .with_column("votes", or_none(col("some_votes")))?
        .with_column("voters", or_none(col("poll_voters")))?;
    Ok(Answer::new(rows, option_columns())?)
}

/// For each poll, option and group with a counted vote: its `votes`, and the
/// `voters` of the poll in the group.
pub(super) fn tallied(counted: DataFrame, groups: &[Expr]) -> EngineResult<DataFrame> {
    let of_poll: Vec<Expr> = [col("poll_id")]
        .into_iter()
        .chain(groups.iter().cloned())
        .collect();
    let mut of_option = of_poll.clone();
    of_option.push(col("option_id"));
    // Each ballot leads once, whatever it chose, so leaders are voters.
    let leaders = sum(cast(col("leads"), DataType::Int64));
    counted
        .aggregate(
            of_option,
            vec![count(lit(1)).alias("votes"), leaders.alias("leaders")],
        )?
        .window(vec![
            over(sum_udaf(), col("leaders"), of_poll)?.alias("voters"),
        ])
}

/// An aggregate over all rows of a partition.
fn over(function: Arc<AggregateUDF>, of: Expr, partition: Vec<Expr>) -> EngineResult<Expr> {
    Expr::from(WindowFunction::new(function, vec![of]))
        .partition_by(partition)
        .build()
}

fn option_columns() -> Vec<Column> {
    // What a poll says of itself follows from its id.
    vec![
        Column::text("poll_id"),
        Column::text("question").settled(),
        Column::text("choice").settled(),
        Column::text("status").settled(),
        Column::time("started_at").settled(),
        Column::time("ended_at").settled(),
        Column::text("option_id"),
        Column::text("option_text").settled(),
        Column::flag("correct").settled(),
        Column::count("votes"),
        Column::count("voters"),
    ]
}
