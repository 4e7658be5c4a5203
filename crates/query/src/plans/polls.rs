//! Polls: the latest version of each, and its options.
//!
//! A poll may have 128 KiB and a thousand options. Whole polls are in memory only while the latest
//! version is chosen, few at a time; after that each option is a row of its own.

use arrow::datatypes::DataType;
use datafusion::error::Result as EngineResult;
use datafusion::functions::core::expr_fn::get_field;
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{Expr, ExprFunctionExt, cast, lit};
use datafusion::prelude::{DataFrame, col};
use showreport_model::facts::Table;

use crate::error::Error;
use crate::facts::Facts;

/// The polls of an event or of several, as staged frames.
pub(super) struct Polls {
    /// A row for each poll: its keys, `question`, `choice`, `status`, `started_at` and `ended_at`.
    pub(super) polls: DataFrame,
    /// A row for each option: the columns of its poll, `option_id`, `option_text` and `correct`.
    pub(super) options: DataFrame,
}

/// The columns of a poll without its options.
const COLUMNS: [&str; 5] = ["question", "choice", "status", "started_at", "ended_at"];

pub(super) async fn polls(facts: &Facts) -> Result<Polls, Error> {
    let poll_columns = || {
        let mut columns = facts.key_columns(&["poll_id"]);
        columns.extend(COLUMNS.map(col));
        columns
    };
    let mut whole = poll_columns();
    whole.push(col("options"));
    let latest = latest(facts).await?.select(whole)?;
    let latest = facts
        .staged_for(&facts.polls_context, "latest", latest)
        .await?;
    let options = options(latest.clone(), poll_columns())?;
    let polls = latest.select(poll_columns())?;
    let wide = &facts.wide_context;
    Ok(Polls {
        polls: facts.staged_for(wide, "polls", polls).await?,
        options: facts.staged_for(wide, "options", options).await?,
    })
}

/// The latest version of each poll, whole.
async fn latest(facts: &Facts) -> Result<DataFrame, Error> {
    // A version without a time is the oldest. At a tie the greater question is later, then the
    // greater record.
    let version = row_number()
        .partition_by(facts.key_columns(&["poll_id"]))
        .order_by(
            ["updated_at", "question", "record"]
                .map(|name| col(name).sort(false, false))
                .to_vec(),
        )
        .build()?;
    let mut columns = facts.key_columns(&["poll_id", "updated_at", "options", "record"]);
    columns.extend(COLUMNS.map(col));
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
