//! The figures of a whole event.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::clock::millis;
use super::facts::{Facts, Identity, Span, customer_else_device};
use super::polls::counted;
use super::watch::measure;

/// The figures of an event, over all of its time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figures {
    pub(crate) views: usize,
    pub(crate) viewers: usize,
    pub(crate) devices: usize,
    pub(crate) watch_millis: i64,
    pub(crate) attended_millis: i64,
    pub(crate) peak_viewers: usize,
    pub(crate) peak_at: Option<i64>,
    pub(crate) average_minute_audience: Option<f64>,
    pub(crate) messages: usize,
    pub(crate) senders: usize,
    pub(crate) votes: usize,
}

impl Figures {
    /// The figures; `window` is the event's own, if it has one.
    pub(crate) fn of(records: &[Value], event: &str, window: Option<Span>) -> Self {
        let facts = Facts::of(records, event);
        let mut viewers: BTreeMap<Identity, Vec<Span>> = BTreeMap::new();
        for view in facts.watched() {
            viewers
                .entry(view.viewer())
                .or_default()
                .extend(&view.spans);
        }
        let (peak_viewers, peak_at) = peak(&viewers);
        let spoken = facts.messages.values().filter(|message| !message.deleted);
        let senders: BTreeSet<Identity> = spoken
            .clone()
            .filter_map(|message| customer_else_device(&message.customer, &message.device))
            .collect();
        let devices: BTreeSet<&str> = facts.watched().map(|view| view.device.as_str()).collect();
        Self {
            views: facts.watched().count(),
            viewers: viewers.len(),
            devices: devices.iter().filter(|device| !device.is_empty()).count(),
            watch_millis: facts.watched().map(|view| measure(&view.spans)).sum(),
            attended_millis: viewers.values().map(|spans| measure(spans)).sum(),
            peak_viewers,
            peak_at,
            average_minute_audience: window.map(|window| average_minute_audience(&viewers, window)),
            messages: spoken.count(),
            senders: senders.len(),
            votes: counted(&facts).len(),
        }
    }
}

/// The most viewers at one instant and the first such instant. A maximum is
/// first reached where some span begins, so only those instants are looked at.
fn peak(viewers: &BTreeMap<Identity, Vec<Span>>) -> (usize, Option<i64>) {
    let starts: BTreeSet<i64> = viewers.values().flatten().map(|span| span.0).collect();
    let mut peak = (0, None);
    for at in starts {
        let watching = |spans: &&Vec<Span>| spans.iter().any(|&(from, to)| from <= at && at < to);
        let count = viewers.values().filter(watching).count();
        if count > peak.0 {
            peak = (count, Some(at));
        }
    }
    peak
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of a test are far below 2^52"
)]
fn average_minute_audience(viewers: &BTreeMap<Identity, Vec<Span>>, (start, end): Span) -> f64 {
    let inside = |&(from, to): &Span| {
        (from.max(start) < to.min(end)).then(|| (from.max(start), to.min(end)))
    };
    let attended: i64 = viewers
        .values()
        .map(|spans| measure(&spans.iter().filter_map(inside).collect::<Vec<_>>()))
        .sum();
    let minutes = (end - start) as f64 / 60_000.0;
    attended as f64 / 1000.0 / 60.0 / minutes
}

/// The window of the event: of its version that holds by `updated_at` (none oldest), then title.
pub(crate) fn window(records: &[Value], event: &str) -> Option<Span> {
    let time =
        |record: &Value, field: &str| Some(&record[field]).filter(|at| !at.is_null()).map(millis);
    let holds = records
        .iter()
        .filter(|record| record["type"] == "event" && record["event_id"] == event)
        .max_by_key(|record| (time(record, "updated_at"), record["title"].as_str()))?;
    Some((time(holds, "starts_at")?, time(holds, "ends_at")?))
}
