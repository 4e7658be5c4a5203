//! Retention: how many views and viewers have played each bucket of the content.

use std::collections::{BTreeMap, BTreeSet};

use super::clock::seconds_text;
use super::facts::{Facts, Identity, Span};
use super::{ReportSpec, Table};

/// The most buckets that a report has.
const BUCKETS_MAX: i64 = 100_000;

/// A row for each bucket, from the beginning of the content to its end.
pub(crate) fn buckets(facts: &Facts, question: &ReportSpec) -> Table {
    let furthest = facts
        .views
        .values()
        .flat_map(|view| &view.coverage)
        .map(|span| span.1);
    let length = facts.content_length().or(furthest.max()).unwrap_or(0);
    let mut by_view: Vec<(Identity, Vec<Span>)> = Vec::new();
    for view in facts.views.values() {
        if view.spans.iter().any(|&span| question.clip(span).is_some()) {
            by_view.push((view.viewer(), closed(&view.coverage)));
        }
    }
    let viewers_of = |from: i64, to: i64| -> (usize, usize) {
        let holds = |spans: &[Span]| spans.iter().any(|span| span.0.max(from) < span.1.min(to));
        let views = by_view.iter().filter(|(_, spans)| holds(spans));
        let viewers: BTreeSet<&Identity> = views.clone().map(|(viewer, _)| viewer).collect();
        (views.count(), viewers.len())
    };
    let (_, in_all) = viewers_of(0, length);
    let width = question.granularity_seconds * 1_000;
    let count = (length + width - 1) / width;
    assert!(count <= BUCKETS_MAX, "the streams have short contents");
    let row = |bucket: i64| {
        let from = bucket * width;
        let (views, viewers) = viewers_of(from, (from + width).min(length));
        let share = (viewers * 10_000).checked_div(in_all);
        vec![
            seconds_text(from),
            views.to_string(),
            viewers.to_string(),
            share.map_or_else(String::new, share_text),
        ]
    };
    let names = vec!["position_seconds", "views", "viewers", "share"];
    Table::in_order(names, (0..count).map(row).collect())
}

/// Ten-thousandths as a number without trailing zeros.
fn share_text(share: usize) -> String {
    if share == 10_000 {
        return "1".to_owned();
    }
    let digits = format!("{share:04}");
    match digits.trim_end_matches('0') {
        "" => "0".to_owned(),
        digits => format!("0.{digits}"),
    }
}

/// The union of the spans, with gaps of at most 250 ms closed.
fn closed(spans: &[Span]) -> Vec<Span> {
    let mut starts: BTreeMap<i64, i64> = BTreeMap::new();
    for &(from, to) in spans {
        let end = starts.entry(from).or_insert(to);
        *end = to.max(*end);
    }
    let mut closed: Vec<Span> = Vec::new();
    for (from, to) in starts {
        match closed.last_mut() {
            Some(last) if from <= last.1 + 250 => last.1 = last.1.max(to),
            _ => closed.push((from, to)),
        }
    }
    closed
}

#[test]
fn the_oracle_prints_shares_and_closes_gaps() {
    assert_eq!(
        [10_000, 5_000, 3_333, 0, 7].map(share_text),
        ["1", "0.5", "0.3333", "0", "0.0007"]
    );
    assert_eq!(
        closed(&[(500, 600), (0, 250), (851, 900)]),
        [(0, 600), (851, 900)]
    );
}
