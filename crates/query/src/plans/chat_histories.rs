//! What was said.

use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{ExprFunctionExt, lit, not};
use datafusion::prelude::{DataFrame, col};
use showreport_model::Window;
use showreport_model::facts::Table;
use showreport_model::report::ReportOrder;

use super::answer::{Answer, Column};
use super::groups::{self, Clockwork};
use super::origin::{needs_origin, with_origin};
use crate::error::Error;
use crate::facts::Facts;
use crate::functions::people::person_of;

pub(super) async fn plan(
    facts: &Facts,
    order: &ReportOrder,
    clockwork: &Clockwork,
) -> Result<Answer, Error> {
    let messages = messages(facts, order.window).await?;
    if order.group_by.is_empty() {
        let messages = with_origin(facts, messages).await?;
        return Ok(Answer::new(messages, message_columns())?);
    }
    let kept = messages.filter(not(col("deleted")))?;
    let kept = if needs_origin(&order.group_by) {
        with_origin(facts, kept).await?
    } else {
        kept
    };
    let kept = kept.with_column("watch_timestamp", clockwork.bucket_of("sent_at"))?;
    let mut columns = groups::columns(&order.group_by);
    columns.extend([Column::count("messages"), Column::count("senders")]);
    let keys = groups::keys(&order.group_by);
    Ok(Answer::new(counted(kept, keys)?, columns)?)
}

/// The version of each message that holds, deleted ones included, sent inside the window.
pub(super) async fn messages(facts: &Facts, window: Window) -> Result<DataFrame, Error> {
    let mut latest_first = vec![
        col("updated_at").sort(false, false),
        col("deleted").sort(false, false),
    ];
    // The greatest of each, an absent one least.
    latest_first.extend(
        [
            "text",
            "name",
            "role",
            "customer_id",
            "device_id",
            "sent_at",
        ]
        .map(|name| col(name).sort(false, false)),
    );
    let version = row_number()
        .partition_by(vec![col("message_id")])
        .order_by(latest_first)
        .build()?;
    let columns = [
        "message_id",
        "sent_at",
        "updated_at",
        "deleted",
        "text",
        "name",
        "role",
        "customer_id",
        "device_id",
    ];
    let messages = facts
        .frame(Table::Chat)
        .await?
        .select(columns.map(col).to_vec())?
        .window(vec![version.alias("version")])?
        .filter(col("version").eq(lit(1_u64)))?;
    Ok(match groups::inside(window, "sent_at") {
        Some(inside) => messages.filter(inside)?,
        None => messages,
    })
}

/// Messages and their distinct senders in each group.
///
/// By sender first, so that a group with a million senders can spill.
pub(super) fn counted(
    messages: DataFrame,
    keys: Vec<datafusion::logical_expr::Expr>,
) -> Result<DataFrame, Error> {
    let sender = person_of().call(vec![col("customer_id"), col("device_id")]);
    let mut by_sender = keys.clone();
    by_sender.push(col("sender"));
    Ok(messages
        .with_column("sender", sender)?
        .aggregate(by_sender, vec![count(lit(1)).alias("of_sender")])?
        .aggregate(
            keys,
            vec![
                sum(col("of_sender")).alias("messages"),
                count(col("sender")).alias("senders"),
            ],
        )?)
}

fn message_columns() -> Vec<Column> {
    // No two messages have one id, so what follows it decides nothing.
    vec![
        Column::time("sent_at"),
        Column::text("message_id"),
        Column::text("customer_id").settled(),
        Column::text("device_id").settled(),
        Column::text("name").settled(),
        Column::text("role").settled(),
        Column::text("text").settled(),
        Column::flag("deleted").settled(),
        Column::text("device_os").settled(),
        Column::text("geo_region").settled(),
    ]
}
