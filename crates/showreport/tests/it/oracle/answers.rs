//! Answers that are no report.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use super::clock::{Buckets, decimals, rfc3339, seconds_text};
use super::facts::{Facts, Identity, Span, View};
use super::group::Field;
use super::polls::{counted, summaries};
use super::watch::measure;
use super::{ReportSpec, Table};

/// A row for each bucket, from the first to the last instant with facts, or of the filter.
pub(crate) fn audience(facts: &Facts, filter: &ReportSpec, zone: &TimeZone) -> Table {
    let mut viewers: BTreeMap<Identity, Vec<Span>> = BTreeMap::new();
    for view in facts.views.values() {
        let inside = view.spans.iter().filter_map(|&span| filter.clip(span));
        viewers.entry(view.viewer()).or_default().extend(inside);
    }
    let stretches: Vec<Span> = viewers.values().flat_map(|spans| united(spans)).collect();
    let messages = facts.messages.values().filter(|message| !message.deleted);
    let messages = messages.map(|message| message.sent_at);
    let messages: Vec<i64> = messages.filter(|at| filter.holds(*at)).collect();
    let votes = counted(facts).into_iter().map(|vote| vote.voted_at);
    let votes: Vec<i64> = votes.filter(|at| filter.holds(*at)).collect();

    let firsts = stretches.iter().map(|span| span.0);
    let lasts = stretches.iter().map(|span| span.1 - 1);
    let instants = || messages.iter().chain(&votes).copied();
    let first = filter.start.or(firsts.chain(instants()).min());
    let last = filter
        .end
        .map(|end| end - 1)
        .or(lasts.chain(instants()).max());
    let mut rows = Vec::new();
    let mut buckets = Buckets::new(filter.granularity_seconds, zone);
    if let (Some(first), Some(last)) = (first, last) {
        let mut from = buckets.start(first);
        while from <= last {
            let to = buckets.end(from);
            rows.push(bucket(&stretches, &messages, &votes, (from, to)));
            from = to;
        }
    }
    let names = "at,peak_viewers,average_viewers,joined,left,messages,votes";
    Table::in_order(names.split(',').collect(), rows)
}

fn bucket(stretches: &[Span], messages: &[i64], votes: &[i64], (from, to): Span) -> Vec<String> {
    let holds = |at: &i64| from <= *at && *at < to;
    let count = |instants: &mut dyn Iterator<Item = i64>| instants.filter(holds).count();
    let inside = stretches
        .iter()
        .map(|span| (span.0.max(from), span.1.min(to)));
    let inside: Vec<Span> = inside.filter(|span| span.0 < span.1).collect();
    let at_once = |at: i64| {
        inside
            .iter()
            .filter(|span| span.0 <= at && at < span.1)
            .count()
    };
    let attended: i64 = inside.iter().map(|span| span.1 - span.0).sum();
    vec![
        rfc3339(from),
        inside
            .iter()
            .map(|span| at_once(span.0))
            .max()
            .unwrap_or(0)
            .to_string(),
        decimals(attended * 1_000 / (to - from), 3),
        count(&mut stretches.iter().map(|span| span.0)).to_string(),
        count(&mut stretches.iter().map(|span| span.1 - 1)).to_string(),
        count(&mut messages.iter().copied()).to_string(),
        count(&mut votes.iter().copied()).to_string(),
    ]
}

/// The union of spans, as spans that do not touch.
fn united(spans: &[Span]) -> Vec<Span> {
    let mut sorted = spans.to_vec();
    sorted.sort_unstable();
    let mut united: Vec<Span> = Vec::new();
    for (from, to) in sorted {
        match united.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => united.push((from, to)),
        }
    }
    united
}

/// A row for each value, by watched time; then those of all other values as one, and of all.
pub(crate) struct Breakdown {
    pub(crate) table: Table,
    pub(crate) other: Option<Vec<String>>,
    pub(crate) total: Vec<String>,
}

pub(crate) fn breakdown(facts: &Facts, filter: &ReportSpec, by: Field, limit: usize) -> Breakdown {
    let mut views: BTreeMap<&str, Vec<&View>> = BTreeMap::new();
    for view in facts.views.values() {
        if view.spans.iter().any(|&span| filter.clip(span).is_some()) {
            let value = match by {
                Field::CustomerId => &view.customer,
                Field::DeviceId => &view.device,
                Field::DeviceOs => &view.os,
                Field::GeoRegion => &view.region,
                Field::WatchTimestamp => panic!("no attribute of a view"),
            };
            views.entry(value).or_default().push(view);
        }
    }
    let mut values: Vec<&str> = views.keys().copied().collect();
    values.sort_by_key(|value| (-watched(&views[value], filter), *value));
    let cells = |value: &str, views: &[&View]| {
        let mut cells = vec![value.to_owned()];
        cells.extend(group(views, filter));
        cells
    };
    let rows = values.iter().take(limit);
    let rows = rows.map(|value| cells(value, &views[value])).collect();
    let others = values
        .iter()
        .skip(limit)
        .flat_map(|value| views[value].clone());
    let others: Vec<&View> = others.collect();
    let all: Vec<&View> = views.values().flatten().copied().collect();
    let names = "value,views,viewers,watch_seconds,attended_seconds";
    Breakdown {
        table: Table::in_order(names.split(',').collect(), rows),
        other: (!others.is_empty()).then(|| cells("", &others)),
        total: cells("", &all),
    }
}

fn inside(view: &View, filter: &ReportSpec) -> Vec<Span> {
    let spans = view.spans.iter();
    spans.filter_map(|&span| filter.clip(span)).collect()
}

fn watched(views: &[&View], filter: &ReportSpec) -> i64 {
    let millis = views.iter().map(|view| measure(&inside(view, filter)));
    millis.sum()
}

fn group(views: &[&View], filter: &ReportSpec) -> [String; 4] {
    let mut viewers: BTreeMap<Identity, Vec<Span>> = BTreeMap::new();
    for view in views {
        viewers
            .entry(view.viewer())
            .or_default()
            .extend(inside(view, filter));
    }
    let attended = viewers.values().map(|spans| measure(spans)).sum();
    [
        views.len().to_string(),
        viewers.len().to_string(),
        seconds_text(watched(views, filter)),
        seconds_text(attended),
    ]
}

/// The options of all polls, with the share of the voters that chose each.
pub(crate) fn polls(facts: &Facts, filter: &ReportSpec) -> Table {
    let mut table = summaries(facts, filter);
    table.columns.push("share");
    for row in &mut table.rows {
        let [chosen, voters] = [2, 1].map(|from_end| {
            let figure = &row[row.len() - from_end];
            figure.parse::<i64>().expect("a count")
        });
        let share = (chosen * 10_000).checked_div(voters);
        row.push(share.map_or_else(String::new, |share| decimals(share, 4)));
    }
    table
}

/// The viewers of an event.
pub(crate) fn viewers(facts: &Facts) -> usize {
    let viewers: BTreeSet<Identity> = facts.watched().map(View::viewer).collect();
    viewers.len()
}
