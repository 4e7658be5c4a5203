//! Retention: how many views and viewers have played each bucket of the content.

use std::collections::{BTreeMap, BTreeSet};

use super::clock::{decimals, seconds_text};
use super::facts::{Facts, Identity, Span};
use super::{ReportSpec, Table};

/// The most buckets that a report has.
const BUCKETS_MAX: i64 = 100_000;

/// A row for each bucket, from the beginning of the content to its end.
pub(crate) fn buckets(facts: &Facts, question: &ReportSpec) -> Table {
    let length = facts.content_length();
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
        let share = share.map(|share| i64::try_from(share).expect("few"));
        vec![
            seconds_text(from),
            views.to_string(),
            viewers.to_string(),
            share.map_or_else(String::new, |share| decimals(share, 4)),
        ]
    };
    let names = vec!["position_seconds", "views", "viewers", "share"];
    Table::in_order(names, (0..count).map(row).collect())
}

/// The union of the spans, with gaps of at most 250 ms closed.
pub(crate) fn closed(spans: &[Span]) -> Vec<Span> {
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
fn the_oracle_closes_gaps() {
    assert_eq!(
        closed(&[(500, 600), (0, 250), (851, 900)]),
        [(0, 600), (851, 900)]
    );
}
