//! Views: the spans of each playback united, its attributes chosen.

use arrow::datatypes::DataType;
use datafusion::error::Result as EngineResult;
use datafusion::functions::core::expr_fn::{greatest, least};
use datafusion::functions_aggregate::expr_fn::min;
use datafusion::logical_expr::{Expr, cast};
use datafusion::prelude::{DataFrame, col, lit};
use showreport_model::facts::Table;
use showreport_model::{Timestamp, Window};

use crate::error::Error;
use crate::facts::Facts;
use crate::functions::aggregate::aggregate;
use crate::functions::least::least_text;
use crate::functions::people::{voice_of, voices};
use crate::functions::sets::Gathered;
use crate::functions::union::UnionOfEnds;

/// The attributes of a view, each the least over all its spans.
pub(crate) const ATTRIBUTES: [&str; 4] = ["customer_id", "device_id", "device_os", "geo_region"];

/// A row a playback: its keys, the attributes, `first_from`, and `spans`
/// as cut by the window, which may be empty.
///
/// The window prunes no row: attributes, and which view came first, are
/// decided over all spans, inside the window or not.
pub(crate) async fn views(facts: &Facts, window: Window) -> Result<DataFrame, Error> {
    let millis = |name: &str| cast(col(name), DataType::Int64);
    let mut columns = facts.key_columns(&["playback_id"]);
    columns.push(millis("from_time").alias("from_millis"));
    columns.push(millis("to_time").alias("to_millis"));
    columns.extend(ATTRIBUTES.map(col));

    let mut gathered: Vec<Expr> = ATTRIBUTES
        .map(|name| least_text(col(name)).alias(name))
        .to_vec();
    gathered.push(min(col("from_millis")).alias("first_from"));
    let united = aggregate(UnionOfEnds).call(vec![
        clipped(greatest, col("from_millis"), window.start),
        clipped(least, col("to_millis"), window.end),
    ]);
    gathered.push(united.alias("spans"));

    let spans = facts.frame(Table::Spans).await?;
    Ok(spans
        .select(columns)?
        .aggregate(facts.key_columns(&["playback_id"]), gathered)?)
}

fn clipped(bound: fn(Vec<Expr>) -> Expr, end: Expr, limit: Option<Timestamp>) -> Expr {
    match limit {
        Some(limit) => bound(vec![end, lit(limit.as_millis())]),
        None => end,
    }
}

/// A row for each voice of each group: the group's columns, the `voice`, and the `sets` of spans
/// of all views that speak with it under one name.
pub(crate) fn spoken(views: DataFrame, groups: &[&str]) -> EngineResult<DataFrame> {
    let groups = || groups.iter().copied().map(col);
    let with = |more: &[Expr]| groups().chain(more.iter().cloned()).collect::<Vec<_>>();
    let ids = ["playback_id", "customer_id", "device_id"]
        .map(col)
        .to_vec();
    let names = voices().call(ids).alias("name");
    let sets = aggregate(Gathered).call(vec![col("spans")]).alias("sets");
    let voice = voice_of().call(vec![col("name")]).alias("voice");
    views
        .select(with(&[col("spans"), names]))?
        .unnest_columns(&["name"])?
        .aggregate(with(&[col("name")]), vec![sets])?
        .select(with(&[voice, col("sets")]))
}
