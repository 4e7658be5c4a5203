//! What was said.

use arrow::datatypes::{DataType, Fields};
use datafusion::error::Result as EngineResult;
use datafusion::functions::core::expr_fn::{coalesce, get_field};
use datafusion::functions_aggregate::expr_fn::{count, max, sum};
use datafusion::logical_expr::{Expr, cast, lit, not, when};
use datafusion::prelude::{DataFrame, col};
use showreport_model::Window;
use showreport_model::buckets::Buckets;
use showreport_model::facts::{NEVER_SENT_MS, Table};
use showreport_model::report::ReportOrder;

use super::groups;
use super::origin::{needs_origin, with_origin};
use super::report_rows::ReportRows;
use crate::error::Error;
use crate::facts::Facts;
use crate::functions::people::person_of;
use crate::functions::versions::{version, version_fields};

pub(super) async fn plan(
    facts: &Facts,
    order: &ReportOrder,
    buckets: &Buckets,
) -> Result<ReportRows, Error> {
    let messages = messages(facts, order.window).await?;
    if order.group_by.is_empty() {
        let messages = with_origin(facts, messages).await?;
        let keys = ["sent_at", "message_id"];
        return Ok(ReportRows::of_order(order, messages, &keys)?);
    }
    let kept = messages.filter(not(col("deleted")))?;
    let kept = if needs_origin(&order.group_by) {
        with_origin(facts, kept).await?
    } else {
        kept
    };
    let kept = kept.with_column("watch_timestamp", groups::bucket_of(buckets, "sent_at"))?;
    let counted = counted(kept, groups::keys(&order.group_by))?;
    Ok(ReportRows::of_order(order, counted, &[])?)
}

/// What decides between versions of a message, from left to right: the latest
/// holds, a deletion wins a tie, then the greater of each; an absent one is least.
const VERSION: [&str; 8] = [
    "updated_at",
    "deleted",
    "text",
    "name",
    "role",
    "customer_id",
    "device_id",
    "sent_at",
];

/// The version of each message that holds, deleted ones included, sent inside the window.
///
/// A deletion by id alone is no version: it flags what it is not older than. A message of which
/// nothing else is known has no row.
pub(super) async fn messages(facts: &Facts, window: Window) -> Result<DataFrame, Error> {
    let versions = facts.frame(Table::Chat).await?;
    let fields: Fields = VERSION
        .iter()
        .map(|name| versions.schema().field_with_unqualified_name(name).cloned())
        .collect::<EngineResult<_>>()?;
    // Each step has a name of its own: the engine confuses equal names when it
    // moves the reading of a field to where the fields are made.
    let field = |name: &&str| match *name {
        "deleted" => {
            let by_id = col("deleted_until").gt_eq(get_field(col("holds"), "updated_at"));
            let by_id = coalesce(vec![by_id, lit(false)]);
            get_field(col("holds"), "deleted")
                .or(by_id)
                .alias("deleted")
        }
        name => get_field(col("holds"), name).alias(name),
    };
    let keys = || facts.key_columns(&["message_id"]);
    let with = |more: Vec<Expr>| keys().into_iter().chain(more).collect::<Vec<_>>();
    let mut columns = keys();
    columns.extend(VERSION.iter().map(field));
    // A deletion by id alone is older than any version, so one that holds is all that is known.
    let updated_at = when(was_sent(), col("updated_at")).otherwise(col("sent_at"))?;
    let fields_of_version = VERSION.map(|name| match name {
        "updated_at" => updated_at.clone(),
        name => col(name),
    });
    let said = version(fields.clone()).call(fields_of_version.to_vec());
    let until = when(not(was_sent()), col("updated_at")).end()?;
    let holds = version_fields(fields).call(vec![col("greatest")]);
    let messages = versions
        .select(with(vec![said.alias("said"), until.alias("until")]))?
        .aggregate(
            keys(),
            vec![
                max(col("said")).alias("greatest"),
                max(col("until")).alias("deleted_until"),
            ],
        )?
        .select(with(vec![holds.alias("holds"), col("deleted_until")]))?
        .select(columns)?
        .filter(was_sent())?;
    Ok(match groups::inside(window, "sent_at") {
        Some(inside) => messages.filter(inside)?,
        None => messages,
    })
}

/// Whether a row of the table is a version of a message, and no deletion by id alone.
pub(super) fn was_sent() -> Expr {
    cast(col("sent_at"), DataType::Int64).not_eq(lit(NEVER_SENT_MS))
}

/// Messages and their distinct senders in each group.
///
/// By sender first, so that a group with a million senders can spill.
pub(super) fn counted(messages: DataFrame, keys: Vec<Expr>) -> Result<DataFrame, Error> {
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
