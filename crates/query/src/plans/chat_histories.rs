//! The dimension of chat histories.

use arrow::datatypes::{DataType, Fields};
use datafusion::error::Result as EngineResult;
use datafusion::functions::core::expr_fn::{coalesce, get_field};
use datafusion::functions_aggregate::expr_fn::{count, max, sum};
use datafusion::logical_expr::{Expr, cast, lit, not, when};
use datafusion::prelude::{DataFrame, col};
use showreport_model::Window;
use showreport_model::buckets::Buckets;
use showreport_model::facts::{NEVER_SENT_MS, Table};
use showreport_model::question::RowRange;
use showreport_model::report::{Dimension, ReportOrder};
use showreport_model::search::SearchText;
use showreport_model::table;

use super::groups;
use super::origin::{needs_origin, with_origin, with_origin_of_few};
use super::report_rows::{ReportRows, page_of};
use crate::error::Error;
use crate::facts::Facts;
use crate::functions::identities::person_of;
use crate::functions::part_of::has_part;
use crate::functions::versions::{version, version_fields};

pub(super) async fn plan(
    facts: &Facts,
    order: &ReportOrder,
    buckets: &Buckets,
) -> Result<ReportRows, Error> {
    let messages = messages(facts, order.window).await?;
    if order.group_by.is_empty() {
        let messages = with_origin(facts, messages).await?;
        return Ok(ReportRows::of_order(order, messages, &KEYS)?);
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

/// A part of the messages of the report.
pub(super) async fn page(
    facts: &Facts,
    window: Window,
    search: Option<SearchText>,
    sender: Option<String>,
    rows: RowRange,
) -> Result<table::Table, Error> {
    let mut found = messages(facts, window).await?;
    if let Some(search) = search {
        let part = has_part(search);
        let [text, name] = ["text", "name"].map(|name| part.call(vec![col(name)]));
        found = found.filter(text.or(name))?;
    }
    if let Some(sender) = sender {
        let [customer, device] =
            ["customer_id", "device_id"].map(|name| col(name).eq(lit(sender.as_str())));
        found = found.filter(customer.or(device))?;
    }
    let columns = Dimension::ChatHistories.columns(&[]);
    let page = page_of(found, rows, &KEYS)?;
    let page = with_origin_of_few(facts, page).await?;
    Ok(ReportRows::sort(page, columns, &KEYS)?.collect().await?)
}

/// The first columns of the report; no two messages are equal in both.
const KEYS: [&str; 2] = ["sent_at", "message_id"];

/// The order of the versions of a message, compared from left to right; null is least. The greatest
/// version is the message, so at a tie of `updated_at` a deletion wins.
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

/// The latest version of each message that was sent inside the window, deleted ones included.
///
/// A deletion by id alone is no version: it flags the versions that are not later. A message with
/// nothing but such a deletion has no row.
pub(super) async fn messages(facts: &Facts, window: Window) -> Result<DataFrame, Error> {
    let versions = facts.frame(Table::Chat).await?;
    let fields: Fields = VERSION
        .iter()
        .map(|name| versions.schema().field_with_unqualified_name(name).cloned())
        .collect::<EngineResult<_>>()?;
    // Each step has its own column names: the engine confuses equal names when it pushes the access
    // to a field below the expression that makes the fields.
    let field = |name: &&str| match *name {
        "deleted" => {
            let by_id = col("deleted_until").gt_eq(get_field(col("latest"), "updated_at"));
            let by_id = coalesce(vec![by_id, lit(false)]);
            get_field(col("latest"), "deleted")
                .or(by_id)
                .alias("deleted")
        }
        name => get_field(col("latest"), name).alias(name),
    };
    let keys = || facts.key_columns(&["message_id"]);
    let with = |more: Vec<Expr>| keys().into_iter().chain(more).collect::<Vec<_>>();
    let mut columns = keys();
    columns.extend(VERSION.iter().map(field));
    // A deletion by id alone sorts before every version, so if it is the greatest there is no
    // version.
    let updated_at = when(was_sent(), col("updated_at")).otherwise(col("sent_at"))?;
    let fields_of_version = VERSION.map(|name| match name {
        "updated_at" => updated_at.clone(),
        name => col(name),
    });
    let version = version(fields.clone()).call(fields_of_version.to_vec());
    let deleted_until = when(not(was_sent()), col("updated_at")).end()?;
    let latest = version_fields(fields).call(vec![col("greatest")]);
    let messages = versions
        .select(with(vec![
            version.alias("version"),
            deleted_until.alias("until"),
        ]))?
        .aggregate(
            facts.unique_keys("message_id"),
            vec![
                max(col("version")).alias("greatest"),
                max(col("until")).alias("deleted_until"),
            ],
        )?
        .select(with(vec![latest.alias("latest"), col("deleted_until")]))?
        .select(columns)?
        .filter(was_sent())?;
    Ok(match groups::inside(window, "sent_at") {
        Some(inside) => messages.filter(inside)?,
        None => messages,
    })
}

/// Whether a row of the table is a version of a message, not a deletion by id alone.
pub(super) fn was_sent() -> Expr {
    cast(col("sent_at"), DataType::Int64).not_eq(lit(NEVER_SENT_MS))
}

/// Messages and their distinct senders in each group.
///
/// Grouped by sender first: a distinct count would keep all senders of a group in memory, without
/// spilling.
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
