//! What the page shows of the form for a report, and of the first rows before it is made.

use showreport_meta::{EventFilter, EventOrder};
use showreport_model::buckets::Granularity;
use showreport_model::column::Column;
use showreport_model::report::{Dimension, Event, Format, GroupBy};
use showreport_model::table::Value;
use showreport_model::{EventId, OrgId, ReportId, Zone};

use super::choices::Choices;
use super::names::{group_text, name_of, window_of};
use super::problems::Problems;
use super::{PREVIEW_ROWS, Previewed};
use crate::app::App;
use crate::error::ApiError;
use crate::pages::cells::is_number;
use crate::pages::curl::posted;
use crate::texts::{count, wall_time, words};

/// The form, with what was chosen and what is wrong with it.
pub(super) struct FormView {
    pub(super) choices: Choices,
    pub(super) problems: Problems,
    pub(super) events: Vec<Choice>,
    /// Whether the organisation has more events than are listed.
    pub(super) has_more_events: bool,
    pub(super) dimensions: Vec<Choice>,
    pub(super) group_by: Vec<Choice>,
    pub(super) granularities: Vec<Choice>,
    pub(super) formats: Vec<Choice>,
    /// The window of the chosen event, by the clocks of the zone.
    pub(super) times: Vec<String>,
    /// Different for each form, so that one that is sent twice makes one report.
    pub(super) id: String,
}

/// A value that can be chosen.
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) text: String,
    pub(super) is_chosen: bool,
}

/// Events that the form lists.
const EVENTS_MAX: usize = 200;

impl FormView {
    pub(super) async fn read(
        app: &App,
        org: &OrgId,
        choices: Choices,
        problems: Problems,
        zone: &Zone,
    ) -> Result<Self, ApiError> {
        let (events, has_more_events) = events(app, org, &choices).await?;
        let chosen = events.iter().find(|it| it.id.as_str() == choices.event_id);
        let window = chosen.map(|event| [event.starts_at, event.ends_at]);
        let times = window.into_iter().flatten().flatten();
        let times = times.map(|at| wall_time(at, zone)).collect();
        let chosen_id = choices.event_id.clone();
        let event =
            |event: &Event| Choice::new(event.id.as_str(), event_text(event, zone), &chosen_id);
        Ok(Self {
            events: events.iter().map(event).collect(),
            has_more_events,
            dimensions: dimensions(&choices.dimension),
            group_by: group_by(&choices.group_by),
            granularities: granularities(&choices.granularity_seconds),
            formats: formats(&choices.format),
            times,
            id: ReportId::generate().to_string(),
            choices,
            problems,
        })
    }
}

impl Choice {
    fn new(value: &str, text: impl Into<String>, chosen: &str) -> Self {
        Self {
            value: value.to_owned(),
            text: text.into(),
            is_chosen: value == chosen,
        }
    }
}

/// The newest events, and the chosen one if it is older.
async fn events(app: &App, org: &OrgId, choices: &Choices) -> Result<(Vec<Event>, bool), ApiError> {
    let (all, order) = (EventFilter::default(), EventOrder::StartsAt);
    let listed = app.meta();
    let listed = listed.list_events(org, &all, order, None, EVENTS_MAX + 1, app.now());
    let mut events: Vec<Event> = listed.await?.into_iter().map(|it| it.event).collect();
    let has_more = events.len() > EVENTS_MAX;
    events.truncate(EVENTS_MAX);
    let chosen = EventId::new(choices.event_id.as_str()).ok();
    if let Some(chosen) = chosen.filter(|id| events.iter().all(|event| event.id != *id)) {
        let found = app.meta().event(org, &chosen).await.map_err(ApiError::from);
        match found {
            Ok(event) => events.insert(0, event),
            Err(error) if error.status() == axum::http::StatusCode::NOT_FOUND => {}
            Err(error) => return Err(error),
        }
    }
    Ok((events, has_more))
}

fn event_text(event: &Event, zone: &Zone) -> String {
    let title = event.title.clone().filter(|title| !title.is_empty());
    let title = title.unwrap_or_else(|| event.id.to_string());
    match event.starts_at {
        Some(at) => format!("{title} · {}", &wall_time(at, zone)[..16]),
        None => title,
    }
}

fn dimensions(chosen: &str) -> Vec<Choice> {
    let all = Dimension::ALL.iter();
    let text = |it: &Dimension| format!("{}: a row for each {}", words(it.name()), it.row());
    all.map(|it| Choice::new(it.name(), text(it), chosen))
        .collect()
}

/// The chosen ones first, in their order, which is that of the columns.
fn group_by(chosen: &[String]) -> Vec<Choice> {
    let mut all: Vec<GroupBy> = GroupBy::ALL.to_vec();
    let place = |field: &GroupBy| chosen.iter().position(|name| name == field.name());
    all.sort_by_key(|field| place(field).unwrap_or(usize::MAX));
    let choice = |field: GroupBy| Choice {
        value: field.name().to_owned(),
        text: group_text(field).to_owned(),
        is_chosen: place(&field).is_some(),
    };
    all.into_iter().map(choice).collect()
}

fn granularities(chosen: &str) -> Vec<Choice> {
    let usual = Choice::new("", "usual: 60 s, retention 10 s", chosen);
    let widths = Granularity::SECONDS.map(|seconds| {
        let text = match seconds {
            3_600.. => format!("{} h", seconds / 3_600),
            60.. => format!("{} min", seconds / 60),
            _ => format!("{seconds} s"),
        };
        Choice::new(&seconds.to_string(), text, chosen)
    });
    std::iter::once(usual).chain(widths).collect()
}

fn formats(chosen: &str) -> Vec<Choice> {
    let text = |format: &Format| match format {
        Format::Csv => "CSV",
        Format::Ndjson => "NDJSON",
        Format::Parquet => "Parquet",
        Format::Xlsx => "XLSX, for Excel",
    };
    let all = Format::ALL.iter();
    all.map(|it| Choice::new(it.name(), text(it), chosen))
        .collect()
}

/// The first rows of a report.
pub(super) struct PreviewView {
    pub(super) name: String,
    pub(super) window: Option<String>,
    pub(super) columns: Vec<ColumnView>,
    pub(super) rows: Vec<Vec<CellView>>,
    pub(super) row_count: u64,
    pub(super) row_count_text: String,
    /// What makes the same report without a page.
    pub(super) curl: String,
}

pub(super) struct ColumnView {
    pub(super) name: &'static str,
    pub(super) meaning: &'static str,
    pub(super) is_number: bool,
}

pub(super) struct CellView {
    pub(super) text: String,
    pub(super) column: &'static str,
    pub(super) is_number: bool,
}

impl PreviewView {
    pub(super) fn new(previewed: &Previewed, base_url: &str, zone: &Zone) -> Self {
        let table = &previewed.preview.table;
        let columns = &table.columns;
        let row = |row: &Vec<Value>| row.iter().zip(columns).map(CellView::new).collect();
        Self {
            name: name_of(&previewed.order),
            window: window_of(&previewed.order, zone),
            columns: columns.iter().map(ColumnView::new).collect(),
            rows: table.rows.iter().take(PREVIEW_ROWS).map(row).collect(),
            row_count: previewed.preview.row_count,
            row_count_text: count(previewed.preview.row_count),
            curl: posted(base_url, "/bv/analytics/v1/events/reports", &previewed.body),
        }
    }
}

impl ColumnView {
    fn new(column: &Column) -> Self {
        Self {
            name: column.name,
            meaning: column.meaning,
            is_number: is_number(column),
        }
    }
}

impl CellView {
    fn new((value, column): (&Value, &Column)) -> Self {
        Self {
            text: value.to_string(),
            column: column.name,
            is_number: is_number(column) && *value != Value::Absent,
        }
    }
}
