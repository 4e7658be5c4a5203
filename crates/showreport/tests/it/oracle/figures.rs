//! The figures of a whole event.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::ReportSpec;
use super::clock::{decimals, millis, rfc3339, seconds_text};
use super::facts::{Facts, Identity, Span, customer_else_device};
use super::polls::counted;
use super::retention::closed;
use super::watch::measure;

/// The figures of an event, within a filter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figures {
    pub(crate) views: usize,
    pub(crate) viewers: usize,
    pub(crate) devices: usize,
    pub(crate) watch_millis: i64,
    pub(crate) attended_millis: i64,
    pub(crate) peak_viewers: usize,
    pub(crate) peak_at: Option<i64>,
    /// In thousandths.
    pub(crate) average_minute_audience: Option<i64>,
    pub(crate) messages: usize,
    pub(crate) senders: usize,
    pub(crate) votes: usize,
    pub(crate) voters: usize,
    pub(crate) content_millis: i64,
    /// In ten-thousandths.
    pub(crate) average_share_watched: Option<i64>,
}

impl Figures {
    /// The figures over all time; `window` is the event's own, if it has one.
    pub(crate) fn of(records: &[Value], event: &str, window: Option<Span>) -> Self {
        let everything = ReportSpec::new(super::Dimension::WatchTime);
        Self::within(&Facts::of(records, event), window, &everything)
    }

    /// The figures within the filter of a question.
    pub(crate) fn within(facts: &Facts, window: Option<Span>, filter: &ReportSpec) -> Self {
        let mut viewers: BTreeMap<Identity, Vec<Span>> = BTreeMap::new();
        let (mut views, mut watch_millis, mut devices) = (0, 0, BTreeSet::new());
        let (mut content_millis, mut covering) = (0, 0);
        for view in facts.views.values() {
            let inside = view.spans.iter().filter_map(|&span| filter.clip(span));
            let inside: Vec<Span> = inside.collect();
            if inside.is_empty() {
                continue;
            }
            views += 1;
            watch_millis += measure(&inside);
            devices.insert(view.device.as_str());
            let content = content_of(&view.coverage, facts.content_length());
            content_millis += content;
            covering += i64::from(content > 0);
            viewers.entry(view.viewer()).or_default().extend(inside);
        }
        let (peak_viewers, peak_at) = peak(&viewers);
        let messages = facts.messages.values();
        let spoken = messages.filter(|it| !it.deleted && filter.holds(it.sent_at));
        let senders: BTreeSet<Identity> = spoken
            .clone()
            .filter_map(|message| customer_else_device(&message.customer, &message.device))
            .collect();
        let votes = counted(facts).into_iter();
        let votes: Vec<_> = votes.filter(|vote| filter.holds(vote.voted_at)).collect();
        let people: BTreeSet<&Identity> = votes.iter().map(|vote| &vote.voter).collect();
        devices.remove("");
        Self {
            views,
            viewers: viewers.len(),
            devices: devices.len(),
            watch_millis,
            attended_millis: viewers.values().map(|spans| measure(spans)).sum(),
            peak_viewers,
            peak_at,
            average_minute_audience: window.map(|window| average_minute_audience(&viewers, window)),
            messages: spoken.count(),
            senders: senders.len(),
            votes: votes.len(),
            voters: people.len(),
            content_millis,
            average_share_watched: (content_millis * 10_000)
                .checked_div(covering * facts.content_length()),
        }
    }

    /// The cells, in the order of the contract.
    pub(crate) fn texts(&self) -> Vec<String> {
        let average = |count: usize| {
            let count = i64::try_from(count).expect("few");
            let average = self.watch_millis.checked_div(count);
            average.map_or_else(String::new, seconds_text)
        };
        let number = |units: Option<i64>, places| {
            units.map_or_else(String::new, |units| decimals(units, places))
        };
        vec![
            self.views.to_string(),
            self.viewers.to_string(),
            self.devices.to_string(),
            seconds_text(self.watch_millis),
            seconds_text(self.attended_millis),
            average(self.viewers),
            average(self.views),
            self.peak_viewers.to_string(),
            self.peak_at.map_or_else(String::new, rfc3339),
            number(self.average_minute_audience, 3),
            self.messages.to_string(),
            self.senders.to_string(),
            self.votes.to_string(),
            self.voters.to_string(),
            seconds_text(self.content_millis),
            number(self.average_share_watched, 4),
        ]
    }
}

/// The milliseconds of content that a view has played.
fn content_of(coverage: &[Span], length: i64) -> i64 {
    let inside = closed(coverage)
        .into_iter()
        .map(|(from, to)| (from, to.min(length)));
    inside.map(|(from, to)| (to - from).max(0)).sum()
}

/// The most viewers at one instant and the first such instant. A maximum is
/// first reached where some span begins, so only those instants are looked at.
pub(crate) fn peak(viewers: &BTreeMap<Identity, Vec<Span>>) -> (usize, Option<i64>) {
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

fn average_minute_audience(viewers: &BTreeMap<Identity, Vec<Span>>, (start, end): Span) -> i64 {
    let inside = |&(from, to): &Span| {
        (from.max(start) < to.min(end)).then(|| (from.max(start), to.min(end)))
    };
    let attended: i64 = viewers
        .values()
        .map(|spans| measure(&spans.iter().filter_map(inside).collect::<Vec<_>>()))
        .sum();
    // Attended minutes by the minutes of the window.
    attended * 1_000 / (end - start)
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
