//! Polls: the version of each that holds, and its options.
//!
//! A poll can have 128 KiB and a thousand options. So whole polls are only in memory where the version
//! that holds is chosen, a few at a time; everything else goes by its options, a row each.

use arrow::datatypes::DataType;
use datafusion::error::Result as EngineResult;
use datafusion::functions::core::expr_fn::get_field;
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{Expr, ExprFunctionExt, cast, lit};
use datafusion::prelude::{DataFrame, col};
use showreport_model::facts::Table;

use crate::error::Error;
use crate::facts::Facts;

/// The polls that some facts hold, worked out once.
pub(super) struct Polls {
    /// A row a poll: its keys, `question`, `choice`, `status`, `started_at` and `ended_at`.
    pub(super) asked: DataFrame,
    /// A row an option: the same of its poll, `option_id`, `option_text` and `correct`.
    pub(super) options: DataFrame,
}

/// What a poll says, but for its options.
const ASKED: [&str; 5] = ["question", "choice", "status", "started_at", "ended_at"];

/// The version of each poll that holds.
pub(super) async fn polls(facts: &Facts) -> Result<Polls, Error> {
    let asked = || {
        let mut columns = facts.key_columns(&["poll_id"]);
        columns.extend(ASKED.map(col));
        columns
    };
    let mut whole = asked();
    whole.push(col("options"));
    let holding = versions(facts).await?.select(whole)?;
    let holding = facts
        .staged_for(&facts.polls_context, "polls", holding)
        .await?;
    let options = options(holding.clone(), asked())?;
    let asked = holding.select(asked())?;
    let wide = &facts.wide_context;
    Ok(Polls {
        asked: facts.staged_for(wide, "asked", asked).await?,
        options: facts.staged_for(wide, "options", options).await?,
    })
}

/// The polls, of each the version that holds.
async fn versions(facts: &Facts) -> Result<DataFrame, Error> {
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
    let mut columns = facts.key_columns(&["poll_id", "updated_at", "options", "record"]);
    columns.extend(ASKED.map(col));
    Ok(facts
        .frame(Table::Polls)
        .await?
        .select(columns)?
        .window(vec![version.alias("version")])?
        .filter(col("version").eq(lit(1_u64)))?)
}

/// A row for each option of each poll.
fn options(polls: DataFrame, mut columns: Vec<Expr>) -> EngineResult<DataFrame> {
    let text = |name: &str| cast(get_field(col("options"), name), DataType::Utf8);
    columns.extend([
        text("id").alias("option_id"),
        text("text").alias("option_text"),
        get_field(col("options"), "correct").alias("correct"),
    ]);
    polls.unnest_columns(&["options"])?.select(columns)
}
