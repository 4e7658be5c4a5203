//! Watch time.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use super::clock::{Buckets, rfc3339, seconds_text};
use super::facts::{Facts, Identity, Span};
use super::group::{Field, Person, columns};
use super::{ReportSpec, Table};

/// A row for each view with any time inside the filter.
pub(crate) fn views(facts: &Facts, question: &ReportSpec) -> Table {
    let names =
        "started_at,ended_at,playback_id,customer_id,device_id,device_os,geo_region,watch_seconds";
    let mut rows = Vec::new();
    for view in facts.views.values() {
        let inside: Vec<Span> = view
            .spans
            .iter()
            .filter_map(|&span| question.clip(span))
            .collect();
        let (Some(from), Some(to)) = (
            inside.iter().map(|span| span.0).min(),
            inside.iter().map(|span| span.1).max(),
        ) else {
            continue;
        };
        rows.push(vec![
            rfc3339(from),
            rfc3339(to),
            view.playback.clone(),
            view.customer.clone(),
            view.device.clone(),
            view.os.clone(),
            view.region.clone(),
            seconds_text(measure(&inside)),
        ]);
    }
    Table::new(names.split(',').collect(), rows)
}

#[derive(Default)]
struct Group {
    by_view: BTreeMap<String, Vec<Span>>,
    by_viewer: BTreeMap<Identity, Vec<Span>>,
    devices: BTreeSet<String>,
}

/// A row for each group with any time.
pub(crate) fn grouped(facts: &Facts, question: &ReportSpec, zone: &TimeZone) -> Table {
    let mut buckets = Buckets::new(question.granularity_seconds, zone);
    let mut groups: BTreeMap<Vec<String>, Group> = BTreeMap::new();
    for view in facts.views.values() {
        let person = Person::of_view(view);
        let inside = view.spans.iter().filter_map(|&span| question.clip(span));
        for span in inside
            .flat_map(|span| divided(span, question, &mut buckets))
            .collect::<Vec<_>>()
        {
            let group = groups
                .entry(person.group(question, &mut buckets, span.0))
                .or_default();
            group
                .by_view
                .entry(view.playback.clone())
                .or_default()
                .push(span);
            group.by_viewer.entry(view.viewer()).or_default().push(span);
            if !view.device.is_empty() {
                group.devices.insert(view.device.clone());
            }
        }
    }
    let mut names = columns(question);
    names.extend([
        "views",
        "viewers",
        "devices",
        "watch_seconds",
        "attended_seconds",
    ]);
    let row = |(mut cells, group): (Vec<String>, Group)| {
        cells.extend([
            group.by_view.len().to_string(),
            group.by_viewer.len().to_string(),
            group.devices.len().to_string(),
            seconds_text(group.by_view.values().map(|spans| measure(spans)).sum()),
            seconds_text(group.by_viewer.values().map(|spans| measure(spans)).sum()),
        ]);
        cells
    };
    Table::new(names, groups.into_iter().map(row).collect())
}

/// The span cut at the edges of buckets, if the report is grouped by time.
fn divided(span: Span, question: &ReportSpec, buckets: &mut Buckets<'_>) -> Vec<Span> {
    if !question.group_by.contains(&Field::WatchTimestamp) {
        return vec![span];
    }
    let (mut from, to) = span;
    let mut parts = Vec::new();
    while from < to {
        let until = buckets.end(from).min(to);
        parts.push((from, until));
        from = until;
    }
    parts
}

/// The milliseconds in the union of the spans.
pub(crate) fn measure(spans: &[Span]) -> i64 {
    let mut sorted = spans.to_vec();
    sorted.sort_unstable();
    let (mut total, mut reached) = (0, i64::MIN);
    for (from, to) in sorted {
        total += (to - from.max(reached)).max(0);
        reached = reached.max(to);
    }
    total
}

#[test]
fn the_oracle_measures_a_union_as_a_set_of_milliseconds() {
    let spans = [(5, 9), (0, 3), (2, 4), (2, 4), (9, 10), (20, 21), (0, 1)];
    let instants: BTreeSet<i64> = spans.iter().flat_map(|&(from, to)| from..to).collect();
    assert_eq!(
        usize::try_from(measure(&spans)).expect("positive"),
        instants.len()
    );
    assert_eq!(measure(&[]), 0);
}
