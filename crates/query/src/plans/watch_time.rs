//! Who watched, and for how long.
//!
//! Two levels bound the memory: by view first, then by what was asked. A view
//! speaks as its viewer and as its device; the views of a viewer stay apart, so
//! that views, viewers and devices are counted, and attended time measured, in one
//! pass that the engine can spill.

use datafusion::error::Result as EngineResult;
use datafusion::functions::core::expr_fn::get_field;
use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::logical_expr::{Expr, ExprFunctionExt, ScalarUDF, lit};
use datafusion::prelude::{DataFrame, col};
use showreport_model::report::{GroupBy, ReportOrder};

use super::answer::{Answer, Column};
use super::groups::{self, Clockwork};
use super::views::{spoken, views};
use crate::error::Error;
use crate::facts::Facts;
use crate::functions::aggregate::aggregate;
use crate::functions::curves::BucketFigures;
use crate::functions::pages::sets_pages;
use crate::functions::people::Voice;
use crate::functions::sets::{sets_count, sets_millis, union_millis};
use crate::functions::spans::{span_end, span_millis, span_start};

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
        by_bucket(views, &attributes, clockwork)?
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

fn by_bucket(
    views: DataFrame,
    attributes: &[&str],
    clockwork: &Clockwork,
) -> EngineResult<DataFrame> {
    let groups: Vec<Expr> = attributes.iter().copied().map(col).collect();
    let with = |more: Vec<Expr>| groups.iter().cloned().chain(more).collect::<Vec<_>>();
    let pages = sets_pages(clockwork.buckets.clone()).call(vec![col("sets")]);
    let figures = aggregate(BucketFigures {
        buckets: clockwork.buckets.clone(),
    })
    .call(vec![col("voice"), col("sets")]);
    let figure = |from: &str, name: &str| get_field(col("figures"), from).alias(name);
    spoken(views, attributes)?
        .select(with(vec![col("voice"), pages.alias("page")]))?
        .unnest_columns(&["page"])?
        .select(with(vec![
            col("voice"),
            get_field(col("page"), "number").alias("number"),
            get_field(col("page"), "sets").alias("sets"),
        ]))?
        .aggregate(with(vec![col("number")]), vec![figures.alias("figures")])?
        .unnest_columns(&["figures"])?
        .select(with(vec![
            figure("watch_timestamp", "watch_timestamp"),
            figure("views", "views"),
            figure("viewers", "viewers"),
            figure("devices", "devices"),
            figure("watch_millis", "watch_seconds"),
            figure("attended_millis", "attended_seconds"),
        ]))
}
