//! The audience curve of an event, with that of a second event.

use std::sync::Arc;

use showreport_model::audience::Resolution;
use showreport_model::buckets::Granularity;
use showreport_model::figures::Figures;
use showreport_model::question::{Answer, Question};
use showreport_model::table::Value;
use showreport_model::{Timestamp, Window};

use super::frame::{OpenEvent, title};
use super::query::{given, within};
use crate::answers::{Freshness, Snapshot};
use crate::api::event_id;
use crate::charts::{AudienceChart, Bucket, Form, Svg};
use crate::error::ApiError;
use crate::pages::rows::Rows;
use crate::texts;

/// Buckets of the curve at most: each is four units wide in the picture.
const POINTS: u32 = 240;

/// The audience curve of an event.
#[derive(Debug)]
pub(crate) struct Curve {
    answer: Arc<Answer>,
    buckets: Vec<Bucket>,
    /// The width of a bucket in ms.
    pub(crate) width: i64,
    peak: Option<(Timestamp, i64)>,
    second: Option<Second>,
}

/// The curve of a second event, moved so that both begin at the same place.
#[derive(Debug)]
struct Second {
    title: String,
    buckets: Vec<Bucket>,
}

impl Curve {
    pub(crate) async fn new(event: &OpenEvent, figures: &Figures) -> Result<Self, ApiError> {
        let question = Question::Audience {
            window: event.window(),
            resolution: Resolution::Points(POINTS),
        };
        let answer = event.answer(&question).await?;
        let buckets = buckets(&answer);
        let width = answer.granularity.map_or(0, Granularity::seconds);
        let width = i64::from(width) * 1_000;
        let second = match (buckets.first(), buckets.last(), answer.granularity) {
            (Some(first), Some(last), Some(granularity)) => {
                second(event, granularity, first.at, last.at + width).await?
            }
            _ => None,
        };
        let peak = figures.peak.and_then(|peak| {
            let at = Timestamp::from_millis(peak.at).ok()?;
            Some((at, peak.viewers))
        });
        Ok(Self {
            answer,
            buckets,
            width,
            peak,
            second,
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    pub(crate) fn second_title(&self) -> Option<&str> {
        self.second.as_ref().map(|second| second.title.as_str())
    }

    pub(crate) fn svg(&self, event: &OpenEvent, form: Form) -> Svg {
        let second = self.second.as_ref();
        let title = match second {
            None => format!("Viewers of {} by time", event.title()),
            Some(second) => format!(
                "Viewers of {} by time, and of {} from its start",
                event.title(),
                second.title
            ),
        };
        let chart = AudienceChart {
            title: &title,
            description: &self.description(event),
            zone: event.zone(),
            buckets: &self.buckets,
            end: self.buckets.last().map_or(0, |last| last.at + self.width),
            peak: self.peak,
            with: second.map_or(&[], |second| &second.buckets),
        };
        chart.svg(form)
    }

    /// The values of the curve.
    pub(crate) fn rows(&self, event: &OpenEvent) -> Rows {
        let operation = event.access.operation("audience").map(|operation| {
            within(operation, event.window()).with("points", Some(POINTS.to_string()))
        });
        let file = event.query.ranged(event.access.page("csv/audience"));
        Rows::of_table(&self.answer.table, COLUMNS, event.zone())
            .named("audience", "Viewers by time")
            .linked(event.links(operation, &file))
    }

    fn description(&self, event: &OpenEvent) -> String {
        let Some((at, viewers)) = self.peak else {
            return "Nothing was watched.".to_owned();
        };
        format!(
            "At most {} viewers at one instant, first at {} ({}).",
            texts::count(viewers),
            texts::date_time(at, event.zone()),
            event.zone().name()
        )
    }
}

const COLUMNS: &[&str] = &[
    "at",
    "peak_viewers",
    "average_viewers",
    "joined",
    "left",
    "messages",
    "votes",
];

/// The buckets of an audience curve.
fn buckets(answer: &Answer) -> Vec<Bucket> {
    let table = &answer.table;
    let place = |name| table.column(name).unwrap_or_default();
    let places = ["at", "peak_viewers", "messages", "votes"].map(place);
    let number = |value: &Value| match value {
        Value::Time(at) => at.as_millis(),
        Value::Count(count) => *count,
        _ => 0,
    };
    let rows = table.rows.iter().map(|row| {
        let [at, peak_viewers, messages, votes] = places.map(|place| number(&row[place]));
        Bucket {
            at,
            peak_viewers,
            messages,
            votes,
        }
    });
    rows.collect()
}

/// The curve of the second event, moved so that both begin at the same place, and its title.
async fn second(
    event: &OpenEvent,
    granularity: Granularity,
    from: i64,
    end: i64,
) -> Result<Option<Second>, ApiError> {
    let Some(id) = given(event.query.with.as_deref()).filter(|_| event.access.may_compare()) else {
        return Ok(None);
    };
    let answers = event.app.answers();
    let id = event_id(id)?;
    let snapshot = answers
        .snapshot(&event.access.org, &id, Freshness::Recent)
        .await?;
    let resolution = Resolution::Width(granularity);
    let own_start = start(&event.snapshot).unwrap_or(from);
    let question = |window| Question::Audience { window, resolution };
    let mut shift = start(&snapshot).map(|start| start - own_start);
    if shift.is_none() {
        // Without a start, an event begins with its first facts.
        let points = Question::Audience {
            window: Window::ALL,
            resolution: Resolution::Points(POINTS),
        };
        let whole = answers.answer(&snapshot, &points).await?;
        shift = buckets(&whole).first().map(|first| first.at - own_start);
    }
    let shift = shift.unwrap_or(0);
    let window = Window {
        start: Timestamp::from_millis(from + shift).ok(),
        end: Timestamp::from_millis(end + shift).ok(),
    };
    let answer = answers.answer(&snapshot, &question(window)).await?;
    let moved = buckets(&answer).into_iter().map(|bucket| Bucket {
        at: bucket.at - shift,
        ..bucket
    });
    let moved = moved.filter(|bucket| (from..end).contains(&bucket.at));
    Ok(Some(Second {
        title: title(snapshot.event()),
        buckets: moved.collect(),
    }))
}

fn start(snapshot: &Snapshot) -> Option<i64> {
    snapshot.event().starts_at.map(Timestamp::as_millis)
}
