//! Who watched, and for how long.
//!
//! Two levels bound the memory: by view first, then by what was asked. A view
//! speaks as its viewer and as its device; the views of a viewer stay apart, so
//! that views, viewers and devices are counted, and attended time measured, in one
//! pass that the engine can spill.

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use datafusion::common::exec_datafusion_err;
use datafusion::error::Result as EngineResult;
use datafusion::functions::core::expr_fn::get_field;
use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::logical_expr::{Expr, ExprFunctionExt, ScalarUDF, cast, lit};
use datafusion::prelude::{DataFrame, col};
use showreport_model::report::{GroupBy, ROWS_MAX, ReportOrder};

use super::answer::{Answer, Column};
use super::groups::{self, Clockwork};
use super::views::{spoken, views};
use crate::error::Error;
use crate::facts::Facts;
use crate::functions::curves::changes;
use crate::functions::lists::Lists;
use crate::functions::people::Voice;
use crate::functions::sets::{sets_count, sets_millis, union_millis};
use crate::functions::spans::{span_end, span_millis, span_start};
use crate::unfold::audience::{follow, schema_of};
use crate::unfold::slices::slices;
use crate::unfold::unfolded;

pub(super) async fn plan(
    facts: &Facts,
    order: &ReportOrder,
    clockwork: &Clockwork,
) -> Result<Answer, Error> {
    let views = views(facts, order.window).await?;
    let watched = span_millis().call(vec![col("spans")]).gt(lit(0_i64));
    let views = views.filter(watched)?;
    if order.group_by.is_empty() {
        return Ok(each_view(views)?);
    }
    let attributes: Vec<&str> = order
        .group_by
        .iter()
        .filter(|field| **field != GroupBy::WatchTimestamp)
        .map(|field| field.name())
        .collect();
    let figures = if order.group_by.contains(&GroupBy::WatchTimestamp) {
        by_bucket(facts, views, &attributes, clockwork).await?
    } else {
        in_all(views, &attributes)?
    };
    let mut columns = groups::columns(&order.group_by);
    columns.extend([
        Column::count("views"),
        Column::count("viewers"),
        Column::count("devices"),
        Column::seconds("watch_seconds"),
        Column::seconds("attended_seconds"),
    ]);
    // Followed group by group, the buckets come in their order.
    if order.group_by.last() == Some(&GroupBy::WatchTimestamp) {
        return Ok(Answer::sorted(figures, columns)?);
    }
    Ok(Answer::new(figures, columns)?)
}

fn each_view(views: DataFrame) -> EngineResult<Answer> {
    let rows = views.select(vec![
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
    ])?;
    let columns = vec![
        Column::time("started_at"),
        Column::time("ended_at"),
        Column::text("playback_id"),
        Column::text("customer_id").settled(),
        Column::text("device_id").settled(),
        Column::text("device_os").settled(),
        Column::text("geo_region").settled(),
        Column::seconds("watch_seconds"),
    ];
    Answer::new(rows, columns)
}

pub(super) fn in_all(views: DataFrame, attributes: &[&str]) -> EngineResult<DataFrame> {
    let of = |voice: Voice, figure: Expr| figure.filter(col("voice").eq(voice.literal())).build();
    // Every view has one viewer, so that counting by viewers counts every view once.
    let of_viewers = |figure: Expr| of(Voice::Viewer, figure);
    let sets = |figure: ScalarUDF| figure.call(vec![col("sets")]);
    spoken(views, attributes)?.aggregate(
        attributes.iter().copied().map(col).collect(),
        vec![
            of_viewers(sum(sets(sets_count())))?.alias("views"),
            of_viewers(count(lit(1)))?.alias("viewers"),
            of(Voice::Device, count(lit(1)))?.alias("devices"),
            of_viewers(sum(sets(sets_millis())))?.alias("watch_seconds"),
            of_viewers(sum(sets(union_millis())))?.alias("attended_seconds"),
        ],
    )
}

/// The figures of each bucket: where the curves of all voices change, summed, then followed in
/// the order of the buckets. What is in memory grows with neither the buckets nor the voices.
async fn by_bucket(
    facts: &Facts,
    views: DataFrame,
    attributes: &[&str],
    clockwork: &Clockwork,
) -> Result<DataFrame, Error> {
    let groups = attributes.iter().map(|name| text(name));
    let groups: Vec<Expr> = groups.collect();
    let with = |more: Vec<Expr>| groups.iter().cloned().chain(more).collect::<Vec<_>>();
    let voices = spoken(views, attributes)?;
    let voices = unfolded(&facts.context, voices, None, slices(ends, ENDS_MAX)).await?;
    let changes = changes(clockwork.buckets.clone()).call(vec![col("voice"), col("sets")]);
    let field = |name: &str| get_field(col("change"), name).alias(name);
    let total = |name: &str| sum(col(name)).alias(name);
    let places = ["index", "curves"].map(col).to_vec();
    let order = with(places.clone()).into_iter();
    let changes = voices
        .select(with(vec![changes.alias("change")]))?
        .unnest_columns(&["change"])?
        .select(with(
            ["index", "curves", "millis", "filled", "present"]
                .map(field)
                .to_vec(),
        ))?
        .aggregate(
            with(places),
            ["millis", "filled", "present"].map(total).to_vec(),
        )?
        .sort(order.map(|key| key.sort(true, true)).collect())?;
    let follow = follow(attributes, clockwork.buckets.clone(), ROWS_MAX);
    let columns = Some(schema_of(attributes));
    unfolded(&facts.serial_context, changes, columns, follow).await
}

/// Ends of spans that become changes at once.
const ENDS_MAX: usize = 16 << 10;

/// How many ends of spans each voice has.
fn ends(voices: &RecordBatch) -> EngineResult<Vec<usize>> {
    let sets = voices
        .column_by_name("sets")
        .ok_or_else(|| exec_datafusion_err!("a voice has sets"))?;
    let sets = Lists::new(sets)?;
    Ok((0..sets.len()).map(|row| sets.numbers(row).len()).collect())
}

fn text(name: &str) -> Expr {
    cast(col(name), DataType::Utf8).alias(name)
}
