//! The dimension of attendance: a row for each person.
//!
//! Views, messages and votes are rows of one kind, put below each other and grouped by person and
//! device, then by person. So no join is needed, and each grouping can spill.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::Result as EngineResult;
use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::logical_expr::{Expr, ExprFunctionExt, cast, lit, not, when};
use datafusion::prelude::{DataFrame, col};
use showreport_model::Window;
use showreport_model::question::{OrderBy, RowRange};
use showreport_model::ratio::Ratio;
use showreport_model::report::{Dimension, Event, ReportOrder};
use showreport_model::search::SearchText;
use showreport_model::table::Table;

use super::ballots::ballots;
use super::chat_histories::messages;
use super::groups;
use super::polls::polls;
use super::report_rows::ReportRows;
use super::views::{is_watched, named_views};
use crate::error::Error;
use crate::facts::Facts;
use crate::functions::aggregate::aggregate;
use crate::functions::identities::{PersonKind, id_of, person_of, viewer_of};
use crate::functions::least::least_text;
use crate::functions::lists::numbers_type;
use crate::functions::part_of::has_part;
use crate::functions::sets::{CollectSets, sets_union, union_millis, union_millis_within};
use crate::functions::spans::{span_end, span_start};
use crate::single_pass::high_cardinality;

pub(super) async fn plan(
    facts: &Facts,
    order: &ReportOrder,
    event: &Event,
) -> Result<ReportRows, Error> {
    let people = people(facts, event, order.window, order.minimum_live_ratio).await?;
    Ok(ReportRows::of_order(order, people, &KEYS)?)
}

/// A part of the report's rows, in any order.
pub(super) struct Page {
    pub(super) window: Window,
    pub(super) minimum_live_ratio: Option<Ratio>,
    /// A part of a name or of an id.
    pub(super) search: Option<SearchText>,
    /// Before the order of the report.
    pub(super) order_by: Vec<OrderBy>,
    pub(super) rows: RowRange,
}

pub(super) async fn page(facts: &Facts, event: &Event, page: Page) -> Result<Table, Error> {
    let mut people = people(facts, event, page.window, page.minimum_live_ratio).await?;
    if let Some(search) = page.search {
        let part = has_part(search);
        let found = ["name", "customer_id", "device_id", "playback_id"]
            .map(|column| part.call(vec![col(column)]));
        people = people.filter(found.into_iter().fold(lit(false), Expr::or))?;
    }
    let asked = page.order_by.iter();
    // Absent values are the least.
    let asked = asked.map(|it| col(it.column).sort(!it.descending, !it.descending));
    let order = asked.chain(KEYS.map(|key| col(key).sort(true, true)));
    let columns = Dimension::Attendance.columns(&[]);
    let rows = ReportRows::page(people, columns, order.collect(), page.rows)?;
    Ok(rows.collect().await?)
}

/// No two people are equal in these.
const KEYS: [&str; 3] = ["customer_id", "device_id", "playback_id"];

/// A row for each person with watched time, a message or a vote inside the window.
async fn people(
    facts: &Facts,
    event: &Event,
    window: Window,
    minimum_live_ratio: Option<Ratio>,
) -> Result<DataFrame, Error> {
    let rows = of_views(facts, window)
        .await?
        .union(of_messages(facts, window).await?)?
        .union(of_votes(facts, window).await?)?;
    let people = with_live(grouped(rows)?, event)?;
    let is_there = ["views", "messages", "voted"].map(|figure| col(figure).gt(lit(0_i64)));
    let mut people = people.filter(is_there.into_iter().fold(lit(false), Expr::or))?;
    if let Some(minimum) = minimum_live_ratio {
        // Without a window there is no ratio, and so no row.
        let enough = event.window_millis().map(|whole| minimum.part_of(whole));
        people = people.filter(match enough {
            Some(enough) => col("live_seconds").gt_eq(lit(enough)),
            None => lit(false),
        })?;
    }
    Ok(people)
}

/// The figures of people, with their time inside the window of the event. Times are milliseconds.
fn with_live(people: DataFrame, event: &Event) -> EngineResult<DataFrame> {
    let (live, ratio) = match (event.window(), event.window_millis()) {
        (Some(window), Some(whole)) => {
            let live = || union_millis_within(window).call(vec![col("sets")]);
            let ten_thousandths = live() * lit(10_000_i64) / lit(whole);
            let ratio = cast(ten_thousandths, DataType::Float64) / lit(10_000.0);
            (live(), ratio)
        }
        _ => (
            lit(ScalarValue::Int64(None)),
            lit(ScalarValue::Float64(None)),
        ),
    };
    let union = || vec![sets_union().call(vec![col("sets")])];
    let id = |kind: PersonKind, name: &str| id_of(kind).call(vec![col("person")]).alias(name);
    let mut columns = vec![
        id(PersonKind::Customer, "customer_id"),
        id(PersonKind::Device, "device_id"),
        id(PersonKind::Playback, "playback_id"),
        span_start().call(union()).alias("first_joined_at"),
        span_end().call(union()).alias("last_left_at"),
        union_millis()
            .call(vec![col("sets")])
            .alias("attended_seconds"),
        live.alias("live_seconds"),
        ratio.alias("live_ratio"),
        col("polls_answered"),
    ];
    columns.extend(["name", "views", "devices", "messages", "voted"].map(col));
    people.select(columns)
}

/// The rows of each person as one: by device first, so that each device counts once.
fn grouped(rows: DataFrame) -> EngineResult<DataFrame> {
    const COUNTS: [&str; 4] = ["views", "messages", "voted", "polls_answered"];
    let figures = |sets: &str| -> EngineResult<Vec<Expr>> {
        let is_watched = col("views").gt(lit(0_i64));
        let sets = aggregate(CollectSets).call(vec![col(sets)]);
        let mut figures = vec![
            sets.filter(is_watched).build()?.alias("sets"),
            least_text(col("name")).alias("name"),
        ];
        figures.extend(COUNTS.map(|name| sum(col(name)).alias(name)));
        Ok(figures)
    };
    let union = sets_union().call(vec![col("sets")]).alias("union");
    let mut columns = vec![union];
    columns.extend(["person", "watched_on", "name"].map(col));
    columns.extend(COUNTS.map(col));
    let by_device = rows
        .aggregate(
            vec![high_cardinality("person"), col("watched_on")],
            figures("spans")?,
        )?
        .select(columns)?;
    let mut figures = figures("union")?;
    figures.push(count(col("watched_on")).alias("devices"));
    by_device.aggregate(vec![high_cardinality("person")], figures)
}

/// The columns of the rows that are grouped. What a part lacks is null, or 0.
fn columns(present: &[(&str, Expr)]) -> EngineResult<Vec<Expr>> {
    let zero = || lit(0_i64);
    let absent = [
        ("person", lit(ScalarValue::Utf8(None))),
        // The device, if the view was watched.
        ("watched_on", lit(ScalarValue::Utf8(None))),
        ("spans", lit(ScalarValue::try_from(&numbers_type())?)),
        ("name", lit(ScalarValue::Utf8(None))),
        ("views", zero()),
        ("messages", zero()),
        ("voted", zero()),
        ("polls_answered", zero()),
    ];
    let columns = absent.into_iter().map(|(name, absent)| {
        let value = present.iter().find(|(of, _)| *of == name);
        value.map_or(absent, |(_, value)| value.clone()).alias(name)
    });
    Ok(columns.collect())
}

/// All views, also those without time inside the window: they give names.
async fn of_views(facts: &Facts, window: Window) -> Result<DataFrame, Error> {
    let ids = ["playback_id", "customer_id", "device_id"]
        .map(col)
        .to_vec();
    let present = [
        ("person", viewer_of().call(ids)),
        ("watched_on", when(is_watched(), col("device_id")).end()?),
        ("spans", col("spans")),
        ("name", col("name")),
        ("views", as_number(is_watched())),
    ];
    Ok(named_views(facts, window)
        .await?
        .select(columns(&present)?)?)
}

/// The latest versions of all messages.
async fn of_messages(facts: &Facts, window: Window) -> Result<DataFrame, Error> {
    let inside = groups::inside(window, "sent_at").unwrap_or(lit(true));
    let present = [
        ("person", person()),
        ("name", col("name")),
        ("messages", as_number(not(col("deleted")).and(inside))),
    ];
    Ok(messages(facts, Window::ALL)
        .await?
        .select(columns(&present)?)?
        .filter(col("person").is_not_null())?)
}

/// All votes, withdrawals too.
async fn of_votes(facts: &Facts, window: Window) -> Result<DataFrame, Error> {
    let inside = || groups::inside(window, "voted_at").unwrap_or(lit(true));
    // A voter has one vote at most that counts in a poll.
    let answered = col("counted").and(col("chose").not_eq(lit("")));
    let present = [
        ("person", person()),
        ("name", col("name")),
        ("voted", as_number(inside())),
        ("polls_answered", as_number(answered.and(inside()))),
    ];
    let polls = polls(facts).await?;
    Ok(ballots(facts, &polls, Window::ALL)
        .await?
        .select(columns(&present)?)?)
}

/// The sender of a message or a voter.
fn person() -> Expr {
    person_of().call(vec![col("customer_id"), col("device_id")])
}

fn as_number(condition: Expr) -> Expr {
    cast(condition, DataType::Int64)
}
