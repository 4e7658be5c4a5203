//! Who chose what, and when.

use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::lit;
use datafusion::prelude::col;
use showreport_model::report::ReportOrder;

use super::answer::{Answer, Column};
use super::ballots::{ballots, chosen, with_texts};
use super::groups::{self, Clockwork};
use super::origin::{needs_origin, with_origin};
use super::polls::polls;
use crate::error::Error;
use crate::facts::Facts;

pub(super) async fn plan(
    facts: &Facts,
    order: &ReportOrder,
    clockwork: &Clockwork,
) -> Result<Answer, Error> {
    let polls = polls(facts).await?;
    let chosen = chosen(facts, ballots(facts, &polls, order.window).await?)?;
    if order.group_by.is_empty() {
        let rows = with_texts(facts, &polls, with_origin(facts, chosen).await?).await?;
        return Ok(Answer::new(rows, vote_columns())?);
    }
    let counted = chosen.filter(col("counted"))?;
    let counted = if needs_origin(&order.group_by) {
        with_origin(facts, counted).await?
    } else {
        counted
    };
    let mut keys = vec![col("poll_id"), col("option_id")];
    keys.extend(groups::keys(&order.group_by));
    let votes = counted
        .with_column("watch_timestamp", clockwork.bucket_of("voted_at"))?
        .aggregate(keys, vec![count(lit(1)).alias("votes")])?;
    let mut columns = vec![Column::text("poll_id"), Column::text("option_id")];
    columns.extend(groups::columns(&order.group_by));
    columns.push(Column::count("votes"));
    Ok(Answer::new(votes, columns)?)
}

fn vote_columns() -> Vec<Column> {
    // A poll has one question and an option one text; OS and region follow
    // from customer and device.
    vec![
        Column::text("poll_id"),
        Column::text("question").settled(),
        Column::time("voted_at"),
        Column::text("customer_id"),
        Column::text("device_id"),
        Column::text("name"),
        Column::text("option_id"),
        Column::text("option_text").settled(),
        Column::flag("counted"),
        Column::text("device_os").settled(),
        Column::text("geo_region").settled(),
    ]
}
