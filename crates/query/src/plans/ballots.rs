//! Ballots: every vote once, whether it counts, and what it chose.
//!
//! Which votes count is decided over all votes; a window then picks among them.

use arrow::datatypes::DataType;
use datafusion::common::{JoinType, UnnestOptions};
use datafusion::functions_aggregate::expr_fn::min;
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{Expr, ExprFunctionExt, cast, lit};
use datafusion::prelude::{DataFrame, col};
use showreport_model::Window;
use showreport_model::facts::Table;

use super::groups::inside;
use super::polls::{options, polls};
use crate::error::Error;
use crate::facts::Facts;
use crate::functions::ballots::{allowed, divided, joined, option_ids};
use crate::functions::people::person_of;

/// A row a vote: `poll_id`, `voted_at`, `customer_id`, `device_id`, `name`,
/// the options it `chose` and whether it is `counted`.
pub(super) async fn ballots(facts: &Facts, window: Window) -> Result<DataFrame, Error> {
    let of_poll = facts.keys(&["poll_id"]);
    let (mut columns, its_poll) = renamed(&of_poll, "of");
    columns.push(col("choice"));
    columns.push(option_ids().call(vec![col("options")]).alias("offered"));
    let polls = polls(facts).await?.select(columns)?;
    let its_poll: Vec<&str> = its_poll.iter().map(String::as_str).collect();
    let is_allowed = allowed().call(vec![col("chose"), col("offered"), col("choice")]);
    // A vote that its poll does not allow replaces nothing: it stands in a line of its own.
    let place = row_number()
        .partition_by(facts.key_columns(&["poll_id", "voter", "allowed"]))
        .order_by(vec![
            col("voted_at").sort(false, false),
            col("vote_id").sort(false, false),
            col("chose").sort(false, false),
        ])
        .build()?;
    let ballots = votes(facts)
        .await?
        .join(polls, JoinType::Left, &of_poll, &its_poll, None)?
        .with_column("allowed", is_allowed)?
        .drop_columns(&["offered", "choice"])?
        .drop_columns(&its_poll)?
        .window(vec![place.alias("place")])?
        .with_column("counted", col("allowed").and(col("place").eq(lit(1_u64))))?;
    Ok(match inside(window, "voted_at") {
        Some(inside) => ballots.filter(inside)?,
        None => ballots,
    })
}

/// Votes of one voter in one poll that are equal in time, number and choice are one.
async fn votes(facts: &Facts) -> Result<DataFrame, Error> {
    let mut columns = facts.key_columns(&["poll_id"]);
    columns.extend([
        person_of()
            .call(vec![col("customer_id"), col("device_id")])
            .alias("voter"),
        col("voted_at"),
        col("vote_id"),
        joined().call(vec![col("option_ids")]).alias("chose"),
        col("customer_id"),
        col("device_id"),
        col("name"),
    ]);
    let votes = facts.frame(Table::Votes).await?.select(columns)?;
    let one_vote = facts.key_columns(&ONE_VOTE);
    let least = ["customer_id", "device_id", "name"].map(|name| min(col(name)).alias(name));
    Ok(votes.aggregate(one_vote, least.to_vec())?)
}

/// What makes votes one vote.
const ONE_VOTE: [&str; 5] = ["poll_id", "voter", "voted_at", "vote_id", "chose"];

/// Columns under names of another frame, since both sides of a join keep their own.
fn renamed(names: &[&str], of: &str) -> (Vec<Expr>, Vec<String>) {
    let others: Vec<String> = names.iter().map(|name| format!("{of}_{name}")).collect();
    let columns = names.iter().zip(&others);
    let columns = columns
        .map(|(name, other)| col(*name).alias(other))
        .collect();
    (columns, others)
}

/// A row for each option that a ballot chose, as `option_id`; `leads` marks
/// the first of each ballot, so that ballots can still be counted.
pub(super) fn chosen(facts: &Facts, ballots: DataFrame) -> Result<DataFrame, Error> {
    let list = divided().call(vec![cast(col("chose"), DataType::Utf8)]);
    // A withdrawal chose nothing, and has no row.
    let exploded = ballots
        .with_column("option_id", list)?
        .unnest_columns_with_options(
            &["option_id"],
            UnnestOptions::new().with_preserve_nulls(false),
        )?;
    let first = row_number()
        .partition_by(facts.key_columns(&ONE_VOTE))
        .order_by(vec![col("option_id").sort(true, true)])
        .build()?;
    Ok(exploded
        .window(vec![first.alias("number")])?
        .with_column("leads", col("number").eq(lit(1_u64)))?)
}

/// Adds `question` and `option_text`, empty where the poll or option is not known.
pub(super) async fn with_texts(facts: &Facts, rows: DataFrame) -> Result<DataFrame, Error> {
    let names: Vec<String> = rows
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    let of_poll = facts.keys(&["poll_id"]);
    let (mut asked, asked_in) = renamed(&of_poll, "asked");
    asked.push(col("question"));
    let questions = polls(facts).await?.select(asked)?;
    let (mut offered, mut offered_in) = renamed(&of_poll, "offered");
    offered.push(cast(col("option_id"), DataType::Utf8).alias("offered_id"));
    offered.push(col("option_text"));
    offered_in.push("offered_id".to_owned());
    let texts = options(facts, polls(facts).await?)?.select(offered)?;
    let asked_in: Vec<&str> = asked_in.iter().map(String::as_str).collect();
    let offered_in: Vec<&str> = offered_in.iter().map(String::as_str).collect();
    let of_option = facts.keys(&["poll_id", "option_id"]);
    let joined = rows
        .join(questions, JoinType::Left, &of_poll, &asked_in, None)?
        .join(texts, JoinType::Left, &of_option, &offered_in, None)?;
    let mut columns: Vec<Expr> = names.iter().map(|name| col(name.as_str())).collect();
    columns.extend([col("question"), col("option_text")]);
    Ok(joined.select(columns)?)
}
