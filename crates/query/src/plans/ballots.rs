//! Ballots: every vote once, whether it counts, and what it chose.
//!
//! Which votes count is decided over all votes; a window then picks among them.

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
use crate::functions::ballots::{divided, joined, pick};
use crate::functions::people::person_of;

/// A row a vote: `poll_id`, `voted_at`, `customer_id`, `device_id`, `name`,
/// the options it `chose` and whether it is `counted`.
pub(super) async fn ballots(
    facts: &Facts,
    polls: &Polls,
    window: Window,
) -> Result<DataFrame, Error> {
    let of_choice = facts.keys(&["poll_id", "pick"]);
    let (judged, its_choice) = judged(facts, polls).await?;
    let its_choice: Vec<&str> = its_choice.iter().map(String::as_str).collect();
    // A vote that its poll does not allow replaces nothing: it stands in a line of its own.
    let place = row_number()
        .partition_by(facts.key_columns(&["poll_id", "voter", "allowed"]))
        .order_by(vec![
            col("voted_at").sort(false, false),
            col("vote_id").sort(false, false),
            col("chose").sort(false, false),
        ])
        .build()?;
    // Every choice was judged.
    let ballots = votes(facts)
        .await?
        .with_column("pick", pick().call(vec![col("chose")]))?
        .join(judged, JoinType::Inner, &of_choice, &its_choice, None)?
        .drop_columns(&its_choice)?
        .window(vec![place.alias("place")])?
        .with_column("counted", col("allowed").and(col("place").eq(lit(1_u64))))?;
    Ok(match inside(window, "voted_at") {
        Some(inside) => ballots.filter(inside)?,
        None => ballots,
    })
}

/// Whether its poll, if there is one, allows each choice that any vote made: the choices with
/// `allowed`, and the names of the columns that say which choice.
///
/// Each option of a choice is looked for among those of the poll by itself, so that no vote carries
/// the options of its poll.
async fn judged(facts: &Facts, polls: &Polls) -> Result<(DataFrame, Vec<String>), Error> {
    let of_poll = facts.keys(&["poll_id"]);
    let mut columns = facts.key_columns(&["poll_id"]);
    columns.push(joined().call(vec![col("option_ids")]).alias("chose"));
    let choices = facts.frame(Table::Votes).await?.select(columns)?;
    let option = get_field(col("choices"), "option_id").alias("chosen_id");
    let chosen = divided_choices(facts, choices.distinct()?, &[])?
        .select(with(facts.key_columns(&["poll_id", "pick"]), [option]))?;

    let (offered, mut offered_in) = renamed(&of_poll, "offered");
    let options = polls.options.clone().select(with(
        offered.clone(),
        [col("option_id").alias("offered_id"), col("choice")],
    ))?;
    // A withdrawal is allowed by any poll that there is.
    let withdrawals = polls
        .asked
        .clone()
        .select(with(offered, [lit("").alias("offered_id"), col("choice")]))?;
    offered_in.push("offered_id".to_owned());
    let offered_in: Vec<&str> = offered_in.iter().map(String::as_str).collect();
    let of_option = facts.keys(&["poll_id", "chosen_id"]);
    let (judged, its_choice) = renamed(&facts.keys(&["poll_id", "pick"]), "judged");
    let all_offered = col("offered").eq(col("chosen"));
    let few_enough = col("choice")
        .eq(lit("multi"))
        .or(col("chosen").lt_eq(lit(1_i64)));
    let judged = chosen
        .join(
            options.union(withdrawals)?,
            JoinType::Left,
            &of_option,
            &offered_in,
            None,
        )?
        .aggregate(
            facts.key_columns(&["poll_id", "pick"]),
            vec![
                count(lit(1)).alias("chosen"),
                count(col("choice")).alias("offered"),
                max(col("choice")).alias("choice"),
            ],
        )?
        .select(with(judged, [all_offered.and(few_enough).alias("allowed")]))?;
    Ok((facts.staged("judged", judged).await?, its_choice))
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
    let shown = ["voted_at", "customer_id", "device_id", "name", "counted"].map(col);
    let columns = with(facts.key_columns(&["poll_id"]), shown.clone());
    // A withdrawal chose nothing, and has no row.
    let ballots = ballots.filter(col("chose").not_eq(lit("")))?;
    let field = |name: &str| get_field(col("choices"), name).alias(name);
    Ok(divided_choices(facts, ballots, &shown)?
        .select(with(columns, [field("option_id"), field("leads")]))?)
}

/// A row for each option that was `chose`, in `choices`, with the `pick` and these columns beside it:
/// all options of a choice have 64 KiB, and each with all of them a thousand times as much.
fn divided_choices(facts: &Facts, rows: DataFrame, beside: &[Expr]) -> EngineResult<DataFrame> {
    let chose = || cast(col("chose"), DataType::Utf8);
    let choices = [
        pick().call(vec![chose()]).alias("pick"),
        divided().call(vec![chose()]).alias("choices"),
    ];
    let columns = with(facts.key_columns(&["poll_id"]), beside.iter().cloned());
    rows.select(with(columns, choices))?
        .unnest_columns(&["choices"])
}

fn with(mut columns: Vec<Expr>, more: impl IntoIterator<Item = Expr>) -> Vec<Expr> {
    columns.extend(more);
    columns
}

/// Adds `question` and `option_text`, empty where the poll or option is not known.
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
    let questions = polls.asked.clone().select(asked)?;
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
