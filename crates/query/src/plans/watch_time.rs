//! The dimension of watch time.
//!
//! Rows are grouped by view first, then by identity within the group columns, then by the group
//! columns. Each view has a row for its viewer and one for its device, and the sets of spans of a
//! viewer's views stay apart. So one chain of groupings, which can spill, gives views, viewers,
//! devices and both times.

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use datafusion::common::exec_datafusion_err;
use datafusion::error::Result as EngineResult;
use datafusion::functions::core::expr_fn::get_field;
use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::logical_expr::{Expr, ExprFunctionExt, ScalarUDF, cast, lit};
use datafusion::prelude::{DataFrame, col};
use showreport_model::buckets::Buckets;
use showreport_model::report::{GroupBy, ROWS_MAX, ReportOrder};

use super::groups::key;
use super::report_rows::ReportRows;
use super::views::{ATTRIBUTES, by_identity, is_watched, views_with};
use crate::error::Error;
use crate::facts::Facts;
use crate::functions::curves::changes;
use crate::functions::identities::Identity;
use crate::functions::lists::Lists;
use crate::functions::sets::{sets_count, sets_millis, union_millis};
use crate::functions::spans::{span_end, span_millis, span_start};
use crate::unfold::bucket_rows::{bucket_rows, schema_of};
use crate::unfold::slices::slices;
use crate::unfold::unfolded;

pub(super) async fn plan(
    facts: &Facts,
    order: &ReportOrder,
    buckets: &Buckets,
) -> Result<ReportRows, Error> {
    let views = views_with(facts, order.window, attributes_of(order)).await?;
    let views = views.filter(is_watched())?;
    if order.group_by.is_empty() {
        let views = each_view(views)?;
        let keys = ["started_at", "ended_at", "playback_id"];
        return Ok(ReportRows::of_order(order, views, &keys)?);
    }
    let attributes: Vec<&str> = order
        .group_by
        .iter()
        .filter(|field| **field != GroupBy::WatchTimestamp)
        .map(|field| field.name())
        .collect();
    let figures = if order.group_by.contains(&GroupBy::WatchTimestamp) {
        by_bucket(facts, views, &attributes, buckets).await?
    } else {
        in_all(views, &attributes)?
    };
    // `by_bucket` gives its rows sorted by the other group columns, then by bucket.
    if order.group_by.last() == Some(&GroupBy::WatchTimestamp) {
        let columns = order.dimension.columns(&order.group_by);
        return Ok(ReportRows::sorted(figures, columns)?);
    }
    Ok(ReportRows::of_order(order, figures, &[])?)
}

/// The attributes of views that the report needs: viewers and devices are told apart by two.
fn attributes_of(order: &ReportOrder) -> &'static [&'static str] {
    let has = |field| order.group_by.contains(&field);
    if order.group_by.is_empty() || has(GroupBy::DeviceOs) || has(GroupBy::GeoRegion) {
        &ATTRIBUTES
    } else {
        &["customer_id", "device_id"]
    }
}

fn each_view(views: DataFrame) -> EngineResult<DataFrame> {
    views.select(vec![
        span_start().call(vec![col("spans")]).alias("started_at"),
        span_end().call(vec![col("spans")]).alias("ended_at"),
        col("playback_id"),
        col("customer_id"),
        col("device_id"),
        col("device_os"),
        col("geo_region"),
        span_millis()
            .call(vec![col("spans")])
            .alias("watch_seconds"),
    ])
}

pub(super) fn in_all(views: DataFrame, attributes: &[&str]) -> EngineResult<DataFrame> {
    figures_of(by_identity(views, attributes)?, attributes)
}

/// The figures of each group from the rows of its identities.
pub(super) fn figures_of(identities: DataFrame, groups: &[&str]) -> EngineResult<DataFrame> {
    let of = |identity: Identity, figure: Expr| {
        figure
            .filter(col("identity").eq(identity.literal()))
            .build()
    };
    // Every view has exactly one viewer, so the sets of viewers hold every view once.
    let of_viewers = |figure: Expr| of(Identity::Viewer, figure);
    let sets = |figure: ScalarUDF| figure.call(vec![col("sets")]);
    identities.aggregate(
        groups.iter().map(|name| key(name)).collect(),
        vec![
            of_viewers(sum(sets(sets_count())))?.alias("views"),
            of_viewers(count(lit(1)))?.alias("viewers"),
            of(Identity::Device, count(lit(1)))?.alias("devices"),
            of_viewers(sum(sets(sets_millis())))?.alias("watch_seconds"),
            of_viewers(sum(sets(union_millis())))?.alias("attended_seconds"),
        ],
    )
}

/// The figures of each bucket: the changes of all identities are summed by bucket, sorted, and
/// integrated. Memory grows neither with the number of buckets nor with that of identities.
async fn by_bucket(
    facts: &Facts,
    views: DataFrame,
    attributes: &[&str],
    buckets: &Buckets,
) -> Result<DataFrame, Error> {
    let groups = attributes.iter().map(|name| text(name));
    let groups: Vec<Expr> = groups.collect();
    let with = |more: Vec<Expr>| groups.iter().cloned().chain(more).collect::<Vec<_>>();
    let identities = by_identity(views, attributes)?;
    let identities = unfolded(&facts.context, identities, None, slices(ends, ENDS_MAX)).await?;
    let changes = changes(buckets.clone()).call(vec![col("identity"), col("sets")]);
    let field = |name: &str| get_field(col("change"), name).alias(name);
    let total = |name: &str| sum(col(name)).alias(name);
    let keys = ["index", "curves"].map(col).to_vec();
    let order = with(keys.clone()).into_iter();
    let changes = identities
        .select(with(vec![changes.alias("change")]))?
        .unnest_columns(&["change"])?
        .select(with(
            ["index", "curves", "millis", "filled", "present"]
                .map(field)
                .to_vec(),
        ))?
        .aggregate(
            with(keys),
            ["millis", "filled", "present"].map(total).to_vec(),
        )?
        .sort(order.map(|key| key.sort(true, true)).collect())?;
    let rows = bucket_rows(attributes, buckets.clone(), ROWS_MAX);
    let columns = Some(schema_of(attributes));
    unfolded(&facts.serial_context, changes, columns, rows).await
}

/// Numbers of a batch of `sets` that are turned into changes at once. Each gives two rows at most.
const ENDS_MAX: usize = 16 << 10;

/// How many numbers the sets of each row have.
fn ends(rows: &RecordBatch) -> EngineResult<Vec<usize>> {
    let sets = rows
        .column_by_name("sets")
        .ok_or_else(|| exec_datafusion_err!("there is no column of sets"))?;
    let sets = Lists::new(sets)?;
    Ok((0..sets.len()).map(|row| sets.numbers(row).len()).collect())
}

fn text(name: &str) -> Expr {
    cast(col(name), DataType::Utf8).alias(name)
}
