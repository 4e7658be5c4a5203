//! OS and region of messages and votes: those of the earliest view of the same device, else of the
//! same customer.

use std::collections::HashSet;

use arrow::array::AsArray;
use arrow::datatypes::DataType;
use datafusion::common::JoinType;
use datafusion::functions_aggregate::first_last::first_value;
use datafusion::logical_expr::{Expr, cast, when};
use datafusion::prelude::{DataFrame, col};
use showreport_model::Window;
use showreport_model::facts::Table;
use showreport_model::report::GroupBy;

use super::views::views;
use crate::error::Error;
use crate::facts::Facts;
use crate::functions::among::among;

/// Adds `device_os` and `geo_region` to rows that have `customer_id` and `device_id`.
pub(crate) async fn with_origin(facts: &Facts, rows: DataFrame) -> Result<DataFrame, Error> {
    let names: Vec<String> = rows
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    let by_device = earliest(
        facts,
        "device_id",
        ["of_device", "device_os_1", "geo_region_1"],
    )
    .await?;
    let by_customer = earliest(
        facts,
        "customer_id",
        ["of_customer", "device_os_2", "geo_region_2"],
    )
    .await?;
    let joined = facts
        .staged_for(&facts.chat_context, "rows", rows)
        .await?
        .join(
            by_device,
            JoinType::Left,
            &["device_id"],
            &["of_device"],
            None,
        )?
        .join(
            by_customer,
            JoinType::Left,
            &["customer_id"],
            &["of_customer"],
            None,
        )?;

    let of_device = |device: &str, customer: &str| {
        when(col("of_device").is_not_null(), col(device)).otherwise(col(customer))
    };
    let mut columns: Vec<Expr> = names.iter().map(|name| col(name.as_str())).collect();
    columns.push(of_device("device_os_1", "device_os_2")?.alias("device_os"));
    columns.push(of_device("geo_region_1", "geo_region_2")?.alias("geo_region"));
    Ok(joined.select(columns)?)
}

/// The same for a few rows. Only views that may belong to their devices and customers are grouped:
/// the attributes of a view are those of its spans and beats.
pub(crate) async fn with_origin_of_few(facts: &Facts, rows: DataFrame) -> Result<DataFrame, Error> {
    let context = &facts.chat_context;
    let rows = facts.staged_for(context, "few", rows).await?;
    let devices = texts(rows.clone(), "device_id").await?;
    let customers = texts(rows.clone(), "customer_id").await?;
    let is_theirs = among(devices)
        .call(vec![col("device_id")])
        .or(among(customers).call(vec![col("customer_id")]));
    let mut playbacks = HashSet::new();
    for table in [Table::Spans, Table::Beats] {
        let theirs = facts.frame(table).await?.filter(is_theirs.clone())?;
        playbacks.extend(texts(theirs, "playback_id").await?);
    }
    with_origin(&facts.of_playbacks(playbacks), rows).await
}

/// The distinct texts of a column.
async fn texts(rows: DataFrame, column: &str) -> Result<HashSet<String>, Error> {
    let rows = rows.select(vec![cast(col(column), DataType::Utf8)])?;
    let mut texts = HashSet::new();
    for batch in rows.distinct()?.collect().await? {
        let column = batch.column(0).as_string::<i32>().iter().flatten();
        texts.extend(column.map(str::to_owned));
    }
    Ok(texts)
}

/// Whether a grouping needs `device_os` or `geo_region`.
pub(crate) fn needs_origin(group_by: &[GroupBy]) -> bool {
    group_by
        .iter()
        .any(|field| matches!(field, GroupBy::DeviceOs | GroupBy::GeoRegion))
}

/// A row for each device (or customer) that watched: its id, and OS and region of its earliest
/// view, under the given names.
async fn earliest(facts: &Facts, of: &str, names: [&str; 3]) -> Result<DataFrame, Error> {
    let first = |name: &str| {
        let by_time = vec![
            // A view that was never playing comes after all others.
            col("first_from").sort(true, false),
            col("playback_id").sort(true, true),
        ];
        first_value(col(name), by_time)
    };
    let earliest = views(facts, Window::ALL)
        .await?
        .filter(col(of).is_not_null())?
        .aggregate(
            vec![col(of).alias(names[0])],
            vec![
                first("device_os").alias(names[1]),
                first("geo_region").alias(names[2]),
            ],
        )?;
    facts.staged(of, earliest).await
}
