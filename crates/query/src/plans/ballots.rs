//! Ballots: each distinct vote with its choice and whether it is counted.
//!
//! Which votes count is decided over all votes; the window is applied after that.

use arrow::datatypes::DataType;
use datafusion::common::JoinType;
use datafusion::error::Result as EngineResult;
use datafusion::functions::core::expr_fn::get_field;
use datafusion::functions_aggregate::expr_fn::{count, max, min};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{Expr, ExprFunctionExt, cast, lit};
use datafusion::prelude::{DataFrame, col};
use showreport_model::Window;
use showreport_model::facts::Table;

use super::groups::inside;
use super::polls::Polls;
use crate::error::Error;
use crate::facts::Facts;
use crate::functions::ballots::{choice_hash, join_ids, split_ids};
use crate::functions::identities::person_of;

/// A row for each vote: `poll_id`, `voted_at`, `customer_id`, `device_id`, `name`, the options it
/// `chose` and whether it is `counted`.
pub(super) async fn ballots(
    facts: &Facts,
    polls: &Polls,
    window: Window,
) -> Result<DataFrame, Error> {
    let of_choice = facts.keys(&["poll_id", "choice_hash"]);
    let (checked, its_choice) = checked_choices(facts, polls).await?;
    let its_choice: Vec<&str> = its_choice.iter().map(String::as_str).collect();
    // A vote that its poll does not allow replaces no other vote, so it is numbered apart.
    let rank = row_number()
        .partition_by(facts.key_columns(&["poll_id", "voter", "allowed"]))
        .order_by(vec![
            col("voted_at").sort(false, false),
            col("vote_id").sort(false, false),
            col("chose").sort(false, false),
        ])
        .build()?;
    // An inner join loses no vote: every choice was checked.
    let ballots = votes(facts)
        .await?
        .with_column("choice_hash", choice_hash().call(vec![col("chose")]))?
        .join(checked, JoinType::Inner, &of_choice, &its_choice, None)?
        .drop_columns(&its_choice)?
        .window(vec![rank.alias("rank")])?
        .with_column("counted", col("allowed").and(col("rank").eq(lit(1_u64))))?;
    Ok(match inside(window, "voted_at") {
        Some(inside) => ballots.filter(inside)?,
        None => ballots,
    })
}

/// The distinct choices of all votes, with `allowed`: whether there is a poll that allows the
/// choice. Also the names of the columns that identify a choice.
///
/// Each option of a choice is joined with the options of the poll, so that no row holds all of
/// them.
async fn checked_choices(facts: &Facts, polls: &Polls) -> Result<(DataFrame, Vec<String>), Error> {
    let of_poll = facts.keys(&["poll_id"]);
    let mut columns = facts.key_columns(&["poll_id"]);
    columns.push(join_ids().call(vec![col("option_ids")]).alias("chose"));
    let choices = facts.frame(Table::Votes).await?.select(columns)?;
    let option = get_field(col("choices"), "option_id").alias("chosen_id");
    let chosen = split_choices(facts, choices.distinct()?, &[])?.select(with(
        facts.key_columns(&["poll_id", "choice_hash"]),
        [option],
    ))?;

    let (offered, mut offered_in) = renamed(&of_poll, "offered");
    let options = polls.options.clone().select(with(
        offered.clone(),
        [col("option_id").alias("offered_id"), col("choice")],
    ))?;
    // Every poll allows a withdrawal.
    let withdrawals = polls
        .polls
        .clone()
        .select(with(offered, [lit("").alias("offered_id"), col("choice")]))?;
    offered_in.push("offered_id".to_owned());
    let offered_in: Vec<&str> = offered_in.iter().map(String::as_str).collect();
    let of_option = facts.keys(&["poll_id", "chosen_id"]);
    let (checked, its_choice) = renamed(&facts.keys(&["poll_id", "choice_hash"]), "checked");
    let all_offered = col("offered").eq(col("chosen"));
    let few_enough = col("choice")
        .eq(lit("multi"))
        .or(col("chosen").lt_eq(lit(1_i64)));
    let checked = chosen
        .join(
            options.union(withdrawals)?,
            JoinType::Left,
            &of_option,
            &offered_in,
            None,
        )?
        .aggregate(
            facts.key_columns(&["poll_id", "choice_hash"]),
            vec![
                count(lit(1)).alias("chosen"),
                count(col("choice")).alias("offered"),
                max(col("choice")).alias("choice"),
            ],
        )?
        .select(with(
            checked,
            [all_offered.and(few_enough).alias("allowed")],
        ))?;
    Ok((facts.staged("checked", checked).await?, its_choice))
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
        join_ids().call(vec![col("option_ids")]).alias("chose"),
        col("customer_id"),
        col("device_id"),
        col("name"),
    ]);
    let votes = facts.frame(Table::Votes).await?.select(columns)?;
    let one_vote = facts.key_columns(&ONE_VOTE);
    let least = ["customer_id", "device_id", "name"].map(|name| min(col(name)).alias(name));
    Ok(votes.aggregate(one_vote, least.to_vec())?)
}

/// Votes that are equal in these columns are one vote.
const ONE_VOTE: [&str; 5] = ["poll_id", "voter", "voted_at", "vote_id", "chose"];

/// Columns with a prefix, since the two sides of a join must not share names.
fn renamed(names: &[&str], of: &str) -> (Vec<Expr>, Vec<String>) {
    let others: Vec<String> = names.iter().map(|name| format!("{of}_{name}")).collect();
    let columns = names.iter().zip(&others);
    let columns = columns
        .map(|(name, other)| col(*name).alias(other))
        .collect();
    (columns, others)
}

/// A row for each option that a ballot chose, as `option_id`. `is_first` is true in one row of each
/// ballot, so that ballots can be counted.
pub(super) fn chosen(facts: &Facts, ballots: DataFrame) -> Result<DataFrame, Error> {
    let shown = ["voted_at", "customer_id", "device_id", "name", "counted"].map(col);
    let columns = with(facts.key_columns(&["poll_id"]), shown.clone());
    // A withdrawal has no row.
    let ballots = ballots.filter(col("chose").not_eq(lit("")))?;
    let field = |name: &str| get_field(col("choices"), name).alias(name);
    Ok(split_choices(facts, ballots, &shown)?
        .select(with(columns, [field("option_id"), field("is_first")]))?)
}

/// A row for each option of `chose`, in `choices`, with the `choice_hash` and these columns.
/// `chose` itself is left out: it may have 64 KiB, and would be repeated for each of its thousand
/// options.
fn split_choices(facts: &Facts, rows: DataFrame, beside: &[Expr]) -> EngineResult<DataFrame> {
    let chose = || cast(col("chose"), DataType::Utf8);
    let choices = [
        choice_hash().call(vec![chose()]).alias("choice_hash"),
        split_ids().call(vec![chose()]).alias("choices"),
    ];
    let columns = with(facts.key_columns(&["poll_id"]), beside.iter().cloned());
    rows.select(with(columns, choices))?
        .unnest_columns(&["choices"])
}

fn with(mut columns: Vec<Expr>, more: impl IntoIterator<Item = Expr>) -> Vec<Expr> {
    columns.extend(more);
    columns
}

/// Adds `question` and `option_text`; null for an unknown poll or option.
pub(super) async fn with_texts(
    facts: &Facts,
    polls: &Polls,
    rows: DataFrame,
) -> Result<DataFrame, Error> {
    let names: Vec<String> = rows
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    let of_poll = facts.keys(&["poll_id"]);
    let (mut asked, asked_in) = renamed(&of_poll, "asked");
    asked.push(col("question"));
    let questions = polls.polls.clone().select(asked)?;
    let (mut offered, mut offered_in) = renamed(&of_poll, "offered");
    offered.extend([col("option_id").alias("offered_id"), col("option_text")]);
    offered_in.push("offered_id".to_owned());
    let texts = polls.options.clone().select(offered)?;
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
