//! Views: for each playback the union of its spans, and its attributes.
//!
//! Spans, beats and coverage of a view lie in tables of their own. Their rows are put below each
//! other and grouped once, so that no join is needed. For an event without beats, as most are, the
//! rows of spans are grouped alone.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::Result as EngineResult;
use datafusion::functions::core::expr_fn::{greatest, least};
use datafusion::functions_aggregate::expr_fn::{min, sum};
use datafusion::logical_expr::{Expr, ExprFunctionExt, cast};
use datafusion::prelude::{DataFrame, col, lit};
use showreport_model::facts::Table;
use showreport_model::{Timestamp, Window};

use super::groups::key;
use crate::error::Error;
use crate::facts::Facts;
use crate::functions::aggregate::aggregate;
use crate::functions::claims::{ClaimsOfBeats, with_claims};
use crate::functions::identities::{identities, identity_of, viewer_hash};
use crate::functions::least::least_text;
use crate::functions::lists::numbers_type;
use crate::functions::sets::CollectSets;
use crate::functions::spans::{span_millis, span_start};
use crate::functions::union::UnionOfEnds;
use crate::single_pass::high_cardinality;
use crate::unfold::packed_beats::{packed_beats, schema_of};
use crate::unfold::unfolded;

/// The attributes of a view, each the least over all its spans and beats.
pub(crate) const ATTRIBUTES: [&str; 4] = ["customer_id", "device_id", "device_os", "geo_region"];

/// A row for each playback: its keys, the attributes, `first_from`, and `spans` as cut by the
/// window, which may be empty. A view has no `first_from` if its beats claim nothing.
///
/// The window prunes no rows, because attributes and `first_from` come from all spans and beats of
/// the view.
pub(crate) async fn views(facts: &Facts, window: Window) -> Result<DataFrame, Error> {
    views_with(facts, window, &ATTRIBUTES).await
}

/// The same with these attributes, which take time each: those of beats are read for every beat.
pub(crate) async fn views_with(
    facts: &Facts,
    window: Window,
    attributes: &'static [&'static str],
) -> Result<DataFrame, Error> {
    let parts = Parts::read(facts, attributes, None).await?;
    Ok(parts.grouped(facts, window)?)
}

/// The same with the attributes that people are known by.
pub(crate) async fn named_views(facts: &Facts, window: Window) -> Result<DataFrame, Error> {
    views_with(facts, window, &["customer_id", "device_id", "name"]).await
}

/// The attributes that views are counted under.
pub(crate) const IDENTITIES: [&str; 2] = ["customer_id", "device_id"];

/// The same with [`IDENTITIES`] alone, and with `coverage`: the union of the intervals of content that the view has played.
pub(crate) async fn covered_views(facts: &Facts, window: Window) -> Result<DataFrame, Error> {
    let coverage = facts.frame(Table::Coverage).await?;
    let parts = Parts::read(facts, &IDENTITIES, Some(coverage)).await?;
    Ok(parts.grouped(facts, window)?)
}

/// A row for each run of beats of a view; `None` if no file can have beats.
pub(super) async fn beats(
    facts: &Facts,
    attributes: &'static [&'static str],
) -> Result<Option<DataFrame>, Error> {
    let keys = facts.keys(&["playback_id"]);
    let texts = keys.iter().chain(attributes).copied();
    let columns: Vec<&str> = texts.chain(["seq", "at", "playing"]).collect();
    let Some(beats) = facts.dictionary_frame(Table::Beats, &columns).await? else {
        return Ok(None);
    };
    let schema = schema_of(&keys, attributes);
    let packed = packed_beats(&keys, attributes);
    unfolded(&facts.context, beats, Some(schema), packed)
        .await
        .map(Some)
}

/// The rows that views are made from.
struct Parts {
    /// Each the least over all spans and beats of the view.
    attributes: &'static [&'static str],
    spans: DataFrame,
    beats: Option<DataFrame>,
    coverage: Option<DataFrame>,
}

impl Parts {
    async fn read(
        facts: &Facts,
        attributes: &'static [&'static str],
        coverage: Option<DataFrame>,
    ) -> Result<Self, Error> {
        Ok(Self {
            attributes,
            spans: facts.frame(Table::Spans).await?,
            beats: beats(facts, attributes).await?,
            coverage,
        })
    }

    fn grouped(self, facts: &Facts, window: Window) -> EngineResult<DataFrame> {
        let (has_beats, has_coverage) = (self.beats.is_some(), self.coverage.is_some());
        let attributes = self.attributes;
        let rows = self.rows(facts)?;
        let texts = attributes
            .iter()
            .map(|name| least_text(col(*name)).alias(*name));
        let mut figures: Vec<Expr> = texts.collect();
        figures.push(min(col("from_millis")).alias("first_from"));
        let mut united = aggregate(UnionOfEnds).call(vec![
            clipped(greatest, col("from_millis"), window.start),
            clipped(least, col("to_millis"), window.end),
        ]);
        if has_beats || has_coverage {
            // `greatest` and `least` ignore nulls: a row without a span would have that of the
            // window.
            united = united.filter(col("from_millis").is_not_null()).build()?;
        }
        figures.push(united.alias("spans"));
        if has_beats {
            figures.push(
                aggregate(ClaimsOfBeats)
                    .call(vec![col("beats")])
                    .alias("claims"),
            );
        }
        if has_coverage {
            let ends = ["covered_from", "covered_to"].map(col).to_vec();
            figures.push(aggregate(UnionOfEnds).call(ends).alias("coverage"));
        }
        let views = rows.aggregate(facts.unique_keys("playback_id"), figures)?;
        if has_beats {
            claimed(facts, views, attributes, window, has_coverage)
        } else {
            Ok(views)
        }
    }

    /// The rows of all parts. A column that a part lacks is null.
    fn rows(self, facts: &Facts) -> EngineResult<DataFrame> {
        let (has_beats, has_coverage) = (self.beats.is_some(), self.coverage.is_some());
        let mut columns: Vec<(&str, DataType)> = ["from_millis", "to_millis"]
            .map(|name| (name, DataType::Int64))
            .to_vec();
        columns.extend(self.attributes.iter().map(|name| (*name, DataType::Utf8)));
        if has_beats {
            columns.push(("beats", numbers_type()));
        }
        if has_coverage {
            columns.extend(["covered_from", "covered_to"].map(|name| (name, DataType::Int64)));
        }
        let part = |rows: DataFrame, present: &[(&str, Expr)]| {
            let mut selected = facts.key_columns(&["playback_id"]);
            for (name, data_type) in &columns {
                let present = present.iter().find(|(of, _)| of == name);
                let value = match present {
                    Some((_, value)) => value.clone(),
                    None => lit(ScalarValue::try_from(data_type)?),
                };
                selected.push(value.alias(*name));
            }
            rows.select(selected)
        };
        let millis = |name: &str| cast(col(name), DataType::Int64);
        let attributes = self.attributes.iter().map(|name| (*name, col(*name)));
        let mut of_spans = vec![
            ("from_millis", millis("from_time")),
            ("to_millis", millis("to_time")),
        ];
        of_spans.extend(attributes.clone());
        let mut rows = part(self.spans, &of_spans)?;
        if let Some(beats) = self.beats {
            let mut of_beats = vec![("beats", col("beats"))];
            of_beats.extend(attributes);
            rows = rows.union(part(beats, &of_beats)?)?;
        }
        if let Some(coverage) = self.coverage {
            let of_coverage = [
                ("covered_from", col("from_ms")),
                ("covered_to", col("to_ms")),
            ];
            rows = rows.union(part(coverage, &of_coverage)?)?;
        }
        Ok(rows)
    }
}

/// Joins the claims of each view to its spans.
fn claimed(
    facts: &Facts,
    views: DataFrame,
    attributes: &[&str],
    window: Window,
    has_coverage: bool,
) -> EngineResult<DataFrame> {
    let first_claim = cast(span_start().call(vec![col("claims")]), DataType::Int64);
    let spans = with_claims(window).call(vec![col("spans"), col("claims")]);
    let mut columns = facts.key_columns(&["playback_id"]);
    columns.extend(attributes.iter().copied().map(col));
    columns.push(least(vec![col("first_from"), first_claim]).alias("first_from"));
    columns.push(spans.alias("spans"));
    columns.extend(has_coverage.then(|| col("coverage")));
    views.select(columns)
}

/// Whether a view has watched time inside the filter.
pub(crate) fn is_watched() -> Expr {
    span_millis().call(vec![col("spans")]).gt(lit(0_i64))
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
    with_identity(by_hash(views, groups, &[])?, groups)
}

/// The same with the `hash` of each identity instead, and with further columns of numbers, each the
/// sum over these views.
pub(crate) fn by_hash(
    views: DataFrame,
    groups: &[&str],
    numbers: &[&str],
) -> EngineResult<DataFrame> {
    let mut keys: Vec<Expr> = groups.iter().map(|name| key(name)).collect();
    keys.push(high_cardinality("hash"));
    let ids = ["playback_id", "customer_id", "device_id"]
        .map(col)
        .to_vec();
    let mut columns: Vec<Expr> = groups.iter().chain(numbers).copied().map(col).collect();
    columns.extend([col("spans"), identities().call(ids).alias("hash")]);
    let sets = aggregate(CollectSets).call(vec![col("spans")]);
    let mut figures = vec![sets.alias("sets")];
    figures.extend(numbers.iter().map(|name| sum(col(*name)).alias(*name)));
    views
        .select(columns)?
        .unnest_columns(&["hash"])?
        .aggregate(keys, figures)
}

/// The same for viewers alone, which are half of the identities.
pub(crate) fn by_viewer(views: DataFrame, groups: &[&str]) -> EngineResult<DataFrame> {
    let mut keys: Vec<Expr> = groups.iter().map(|name| key(name)).collect();
    keys.push(high_cardinality("hash"));
    let ids = ["playback_id", "customer_id", "device_id"]
        .map(col)
        .to_vec();
    let mut columns: Vec<Expr> = groups.iter().copied().map(col).collect();
    columns.extend([col("spans"), viewer_hash().call(ids).alias("hash")]);
    let sets = aggregate(CollectSets).call(vec![col("spans")]);
    views
        .select(columns)?
        .aggregate(keys, vec![sets.alias("sets")])
}

/// These columns and `sets`, with the `identity` of each `hash`.
pub(crate) fn with_identity(rows: DataFrame, columns: &[&str]) -> EngineResult<DataFrame> {
    let mut selected: Vec<Expr> = columns.iter().copied().map(col).collect();
    let identity = identity_of().call(vec![col("hash")]).alias("identity");
    selected.extend([identity, col("sets")]);
    rows.select(selected)
}
