//! The figures of each value of an attribute, the most watched values first.
//!
//! The rows of viewers are staged. So views are grouped once for the rows, for the values that
//! have none, and for the total.

use std::collections::HashSet;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, lit, not};
use datafusion::prelude::{DataFrame, col};
use showreport_model::Window;
use showreport_model::question::{Answer, Attribute, BREAKDOWN, RowRange};
use showreport_model::table::{Table, Value};

use super::report_rows::ReportRows;
use super::views::{IDENTITIES, by_viewer, is_watched, views_with, with_identity};
use super::watch_time::figures_of;
use crate::error::Error;
use crate::facts::Facts;
use crate::functions::aggregate::aggregate;
use crate::functions::among::among;
use crate::functions::sets::JoinSets;
use crate::single_pass::high_cardinality;

pub(super) async fn answer(
    facts: &Facts,
    window: Window,
    by: Attribute,
    limit: u32,
) -> Result<Answer, Error> {
    let attributes: &'static [&'static str] = match by {
        Attribute::CustomerId | Attribute::DeviceId => &IDENTITIES,
        Attribute::DeviceOs => &["customer_id", "device_id", "device_os"],
        Attribute::GeoRegion => &["customer_id", "device_id", "geo_region"],
    };
    let views = views_with(facts, window, attributes)
        .await?
        .filter(is_watched())?
        .with_column("value", col(by.name()))?;
    let viewers = by_viewer(views, &["value"])?;
    let viewers = facts.staged("viewers", viewers).await?;

    let limit = limit as usize;
    let figures = figures_of(with_identity(viewers.clone(), &["value"])?, &["value"])?;
    let order = vec![
        col("watch_seconds").sort(false, false),
        col("value").sort(true, true),
    ];
    // One more, to see whether there are others.
    let rows = RowRange {
        skip: 0,
        limit: limit as u64 + 1,
    };
    let figures = ReportRows::page(figures, BREAKDOWN.to_vec(), order, rows)?;
    let mut table = figures.collect().await?;
    let has_others = table.rows.len() > limit;
    table.rows.truncate(limit);
    let other = if has_others {
        let others = viewers.clone().filter(is_none_of(&table))?;
        Some(as_one_group(others).await?)
    } else {
        None
    };
    Ok(Answer {
        table,
        other,
        total: Some(as_one_group(viewers).await?),
        granularity: None,
    })
}

/// Whether the value of a row is none of those in the table.
fn is_none_of(table: &Table) -> Expr {
    let mut is_absent_one = false;
    let mut texts = HashSet::new();
    for row in &table.rows {
        match row.first() {
            Some(Value::Text(text)) => {
                texts.insert(text.clone());
            }
            _ => is_absent_one = true,
        }
    }
    let value = || col("value");
    let is_other_text = not(among(texts).call(vec![value()]));
    if is_absent_one {
        value().is_not_null().and(is_other_text)
    } else {
        value().is_null().or(is_other_text)
    }
}

/// The figures of viewers of several groups, where the sets of a viewer are joined.
async fn as_one_group(viewers: DataFrame) -> Result<Vec<Value>, Error> {
    let sets = aggregate(JoinSets).call(vec![col("sets")]).alias("sets");
    let joined = viewers.aggregate(vec![high_cardinality("hash")], vec![sets])?;
    let figures = figures_of(with_identity(joined, &[])?, &[])?;
    let figures = figures.with_column("value", lit(ScalarValue::Utf8(None)))?;
    let table = ReportRows::sorted(figures, BREAKDOWN.to_vec())?;
    let table = table.collect().await?;
    let none = [Value::Absent, Value::Count(0), Value::Count(0)];
    let none = none
        .into_iter()
        .chain([Value::Seconds(0), Value::Seconds(0)]);
    let row = table.rows.into_iter().next().unwrap_or_default();
    // Sums of no rows are absent.
    Ok(none
        .zip(row)
        .map(|(none, figure)| match figure {
            Value::Absent => none,
            figure => figure,
        })
        .collect())
}
