//! Polls: the version of each that holds, and its options.

use datafusion::error::Result as EngineResult;
use datafusion::functions::core::expr_fn::get_field;
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{ExprFunctionExt, lit};
use datafusion::prelude::{DataFrame, col};
use showreport_model::facts::Table;

use crate::error::Error;
use crate::facts::Facts;

/// The version of each poll that holds.
pub(super) async fn polls(facts: &Facts) -> Result<DataFrame, Error> {
    // The latest; one without a time is older than any. Then the greater
    // question, then the greater record.
    let version = row_number()
        .partition_by(facts.key_columns(&["poll_id"]))
        .order_by(
            ["updated_at", "question", "record"]
                .map(|name| col(name).sort(false, false))
                .to_vec(),
        )
        .build()?;
    let columns = facts.key_columns(&[
        "poll_id",
        "updated_at",
        "question",
        "choice",
        "status",
        "started_at",
        "ended_at",
        "options",
        "record",
    ]);
    Ok(facts
        .frame(Table::Polls)
        .await?
        .select(columns)?
        .window(vec![version.alias("version")])?
        .filter(col("version").eq(lit(1_u64)))?)
}

/// A row for each option of each poll.
pub(super) fn options(facts: &Facts, polls: DataFrame) -> EngineResult<DataFrame> {
    let of_poll = facts.key_columns(&[
        "poll_id",
        "question",
        "choice",
        "status",
        "started_at",
        "ended_at",
    ]);
    let field = |from: &str, name: &str| get_field(col("options"), from).alias(name);
    let mut columns = of_poll.clone();
    columns.push(col("options"));
    let mut option = of_poll;
    option.extend([
        field("id", "option_id"),
        field("text", "option_text"),
        field("correct", "correct"),
    ]);
    polls
        .select(columns)?
        .unnest_columns(&["options"])?
        .select(option)
}
