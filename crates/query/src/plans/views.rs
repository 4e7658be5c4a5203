//! Views: for each playback the union of its spans, and its attributes.

use arrow::datatypes::DataType;
use datafusion::error::Result as EngineResult;
use datafusion::functions::core::expr_fn::{greatest, least};
use datafusion::functions_aggregate::expr_fn::min;
use datafusion::logical_expr::{Expr, cast};
use datafusion::prelude::{DataFrame, col, lit};
use showreport_model::facts::Table;
use showreport_model::{Timestamp, Window};

use super::groups::key;
use crate::error::Error;
use crate::facts::Facts;
use crate::functions::aggregate::aggregate;
use crate::functions::identities::{identities, identity_of};
use crate::functions::least::least_text;
use crate::functions::sets::CollectSets;
use crate::functions::union::UnionOfEnds;
use crate::single_pass::high_cardinality;

/// The attributes of a view, each the least over all its spans.
pub(crate) const ATTRIBUTES: [&str; 4] = ["customer_id", "device_id", "device_os", "geo_region"];

/// A row for each playback: its keys, the attributes, `first_from`, and `spans` as cut by the
/// window, which may be empty.
///
/// The window prunes no rows, because attributes and `first_from` come from all spans of the view.
pub(crate) async fn views(facts: &Facts, window: Window) -> Result<DataFrame, Error> {
    let millis = |name: &str| cast(col(name), DataType::Int64);
    let mut columns = facts.key_columns(&["playback_id"]);
    columns.push(millis("from_time").alias("from_millis"));
    columns.push(millis("to_time").alias("to_millis"));
    columns.extend(ATTRIBUTES.map(col));

    let mut figures: Vec<Expr> = ATTRIBUTES
        .map(|name| least_text(col(name)).alias(name))
        .to_vec();
    figures.push(min(col("from_millis")).alias("first_from"));
    let united = aggregate(UnionOfEnds).call(vec![
        clipped(greatest, col("from_millis"), window.start),
        clipped(least, col("to_millis"), window.end),
    ]);
    figures.push(united.alias("spans"));

    let spans = facts.frame(Table::Spans).await?;
    Ok(spans
        .select(columns)?
        .aggregate(facts.unique_keys("playback_id"), figures)?)
}

fn clipped(bound: fn(Vec<Expr>) -> Expr, end: Expr, limit: Option<Timestamp>) -> Expr {
    match limit {
        Some(limit) => bound(vec![end, lit(limit.as_millis())]),
        None => end,
    }
}

/// A row for each identity in each group: the group columns, the `identity` (an [`Identity`]), and
/// the `sets` of spans of all views that are counted under it.
///
/// [`Identity`]: crate::functions::identities::Identity
pub(crate) fn by_identity(views: DataFrame, groups: &[&str]) -> EngineResult<DataFrame> {
    let with = |more: &[Expr]| -> Vec<Expr> {
        let groups = groups.iter().copied().map(col);
        groups.chain(more.iter().cloned()).collect()
    };
    let mut keys: Vec<Expr> = groups.iter().map(|name| key(name)).collect();
    keys.push(high_cardinality("hash"));
    let ids = ["playback_id", "customer_id", "device_id"]
        .map(col)
        .to_vec();
    let hashes = identities().call(ids).alias("hash");
    let sets = aggregate(CollectSets)
        .call(vec![col("spans")])
        .alias("sets");
    let identity = identity_of().call(vec![col("hash")]).alias("identity");
    views
        .select(with(&[col("spans"), hashes]))?
        .unnest_columns(&["hash"])?
        .aggregate(keys, vec![sets])?
        .select(with(&[identity, col("sets")]))
}
