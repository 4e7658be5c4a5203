//! Attendance: a row for each person.

use std::collections::{BTreeMap, BTreeSet};

use super::clock::{decimals, rfc3339, seconds_text};
use super::facts::{Facts, Identity, Span, customer_else_device};
use super::polls::counted;
use super::watch::measure;
use super::{ReportSpec, Table};

#[derive(Default)]
struct Person {
    names: BTreeSet<String>,
    views: usize,
    devices: BTreeSet<String>,
    spans: Vec<Span>,
    messages: usize,
    has_voted: bool,
    polls: BTreeSet<String>,
}

/// A row for each person with watched time, a message or a vote inside the filter.
pub(crate) fn people(facts: &Facts, question: &ReportSpec) -> Table {
    let names = "customer_id,device_id,playback_id,name,first_joined_at,last_left_at,views,\
                 devices,attended_seconds,live_seconds,live_ratio,messages,polls_answered";
    let mut rows = Vec::new();
    for (identity, mut person) in gathered(facts, question) {
        if person.views == 0 && person.messages == 0 && !person.has_voted {
            continue;
        }
        person.names.remove("");
        person.devices.remove("");
        let live = facts
            .window()
            .map(|window| (live(&person.spans, window), window));
        let enough = |minimum: i64| {
            live.is_some_and(|(live, window)| live * 10_000 >= minimum * (window.1 - window.0))
        };
        if !question.minimum_live_ratio.is_none_or(enough) {
            continue;
        }
        let ratio = live.map(|(live, window)| live * 10_000 / (window.1 - window.0));
        let first = person.spans.iter().map(|span| span.0).min();
        let last = person.spans.iter().map(|span| span.1).max();
        let mut cells: Vec<String> = ["customer", "device", "playback"]
            .map(|kind| {
                if identity.0 == kind {
                    identity.1.clone()
                } else {
                    String::new()
                }
            })
            .to_vec();
        cells.extend([
            person.names.first().cloned().unwrap_or_default(),
            first.map_or_else(String::new, rfc3339),
            last.map_or_else(String::new, rfc3339),
            person.views.to_string(),
            person.devices.len().to_string(),
            seconds_text(measure(&person.spans)),
            live.map_or_else(String::new, |(live, _)| seconds_text(live)),
            ratio.map_or_else(String::new, |ratio| decimals(ratio, 4)),
            person.messages.to_string(),
            person.polls.len().to_string(),
        ]);
        rows.push(cells);
    }
    Table::new(names.split(',').collect(), rows)
}

/// Everything about each person; spans are those inside the filter.
fn gathered(facts: &Facts, question: &ReportSpec) -> BTreeMap<Identity, Person> {
    let mut people: BTreeMap<Identity, Person> = BTreeMap::new();
    for view in facts.views.values() {
        let person = people.entry(view.viewer()).or_default();
        person.names.insert(view.name.clone());
        let inside = view.spans.iter().filter_map(|&span| question.clip(span));
        let inside: Vec<Span> = inside.collect();
        if !inside.is_empty() {
            person.views += 1;
            person.devices.insert(view.device.clone());
            person.spans.extend(inside);
        }
    }
    for message in facts.messages.values() {
        let Some(sender) = customer_else_device(&message.customer, &message.device) else {
            continue;
        };
        let person = people.entry(sender).or_default();
        person.names.insert(message.name.clone());
        person.messages += usize::from(!message.deleted && question.holds(message.sent_at));
    }
    let counted = counted(facts);
    for (vote, details) in &facts.votes {
        let person = people.entry(vote.voter.clone()).or_default();
        person.names.insert(details.name.clone());
        if question.holds(vote.voted_at) {
            person.has_voted = true;
            if counted.contains(vote) {
                person.polls.insert(vote.poll.clone());
            }
        }
    }
    people
}

/// The milliseconds of the spans inside the window.
fn live(spans: &[Span], window: Span) -> i64 {
    let inside = spans.iter();
    let inside = inside.map(|span| (span.0.max(window.0), span.1.min(window.1)));
    let inside: Vec<Span> = inside.filter(|span| span.0 < span.1).collect();
    measure(&inside)
}
