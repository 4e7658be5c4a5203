//! The figures of an event while it runs, at any instant.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::clock::{decimals, millis, rfc3339};
use super::facts::{Facts, Identity, Span, View};
use super::polls::counted;

/// What `…/live` says at an instant.
pub(crate) fn live(records: &[Value], event: &str, at: i64) -> Value {
    let facts = Facts::of(records, event);
    let settled = at - 15_000;
    let viewers = viewers(&facts);
    let all = || viewers.values().flatten();
    let in_minute = |at: i64| settled - 60_000 <= at && at < settled;
    let (peak_viewers, peak_at) = peak(&viewers, settled);
    let messages = facts.messages.values().filter(|message| !message.deleted);
    let lately = messages.filter(|it| at - 60_000 <= it.sent_at && it.sent_at < at);
    json!({
        "at": rfc3339(at),
        "settled_until": rfc3339(settled),
        "viewers": watching(&viewers, settled),
        "viewers_now": seen(records, event, &facts, at),
        "joined_last_minute": all().filter(|span| in_minute(span.0)).count(),
        "left_last_minute": all().filter(|span| in_minute(span.1)).count(),
        "peak_viewers": peak_viewers,
        "peak_at": peak_at.map(rfc3339),
        "by": {
            "device_os": by(&facts, settled, |view| &view.os),
            "geo_region": by(&facts, settled, |view| &view.region),
        },
        "messages_last_minute": lately.count(),
        "polls": polls(&facts),
    })
}

/// The stretches of each viewer, over all views.
fn viewers(facts: &Facts) -> BTreeMap<Identity, Vec<Span>> {
    let mut viewers: BTreeMap<Identity, Vec<Span>> = BTreeMap::new();
    for view in facts.watched() {
        viewers
            .entry(view.viewer())
            .or_default()
            .extend(&view.spans);
    }
    for spans in viewers.values_mut() {
        spans.sort_unstable();
        let mut merged: Vec<Span> = Vec::new();
        for &span in spans.iter() {
            match merged.last_mut() {
                Some(last) if span.0 <= last.1 => last.1 = last.1.max(span.1),
                _ => merged.push(span),
            }
        }
        *spans = merged;
    }
    viewers
}

fn holds(spans: &[Span], at: i64) -> bool {
    spans.iter().any(|&(from, to)| from <= at && at < to)
}

fn watching(viewers: &BTreeMap<Identity, Vec<Span>>, at: i64) -> usize {
    viewers.values().filter(|spans| holds(spans, at)).count()
}

/// The most viewers at one instant up to `until`, and the first such instant.
fn peak(viewers: &BTreeMap<Identity, Vec<Span>>, until: i64) -> (usize, Option<i64>) {
    let starts: BTreeSet<i64> = viewers.values().flatten().map(|span| span.0).collect();
    let mut peak = (0, None);
    for at in starts.range(..=until) {
        let count = watching(viewers, *at);
        if count > peak.0 {
            peak = (count, Some(*at));
        }
    }
    peak
}

/// Viewers with a recorded millisecond, or a playing beat, around the instant.
fn seen(records: &[Value], event: &str, facts: &Facts, at: i64) -> usize {
    let (after, until) = (at - 15_000, at + 1_000);
    let is_seen = |record: &&Value| match record["type"].as_str() {
        Some("playback") => millis(&record["from"]) < until && after < millis(&record["to"]),
        Some("beat") => {
            let at = millis(&record["at"]);
            record["playing"] == true && after < at && at <= until
        }
        _ => false,
    };
    let of_event = records.iter().filter(|record| record["event_id"] == event);
    let viewers: BTreeSet<Identity> = of_event
        .filter(is_seen)
        .map(|record| facts.views[record["playback_id"].as_str().expect("an id")].viewer())
        .collect();
    viewers.len()
}

fn by(facts: &Facts, at: i64, value: impl Fn(&View) -> &String) -> Vec<Value> {
    let mut viewers: BTreeMap<&str, BTreeSet<Identity>> = BTreeMap::new();
    for view in facts.watched().filter(|view| holds(&view.spans, at)) {
        viewers
            .entry(value(view))
            .or_default()
            .insert(view.viewer());
    }
    let mut rows: Vec<(&str, usize)> = viewers
        .iter()
        .map(|(value, viewers)| (*value, viewers.len()))
        .collect();
    rows.sort_by_key(|&(value, viewers)| (usize::MAX - viewers, value));
    let row = |(value, viewers): (&str, usize)| {
        let value = (!value.is_empty()).then_some(value);
        json!({"value": value, "viewers": viewers})
    };
    rows.into_iter().map(row).collect()
}

fn polls(facts: &Facts) -> Vec<Value> {
    let counted = counted(facts);
    let polls = facts.polls.iter().map(|(id, poll)| {
        let cast = || counted.iter().filter(|vote| vote.poll == *id);
        let voters: BTreeSet<&Identity> = cast().map(|vote| &vote.voter).collect();
        let all: usize = cast().map(|vote| vote.options.len()).sum();
        let options = poll.options.iter().map(|(option, (text, correct))| {
            let chosen_by = cast().filter(|vote| vote.options.contains(option)).count();
            json!({
                "option_id": option,
                "option_text": text,
                "correct": correct,
                "votes": chosen_by,
                "share": share(chosen_by, voters.len()),
            })
        });
        json!({
            "poll_id": id,
            "question": poll.question,
            "choice": poll.choice,
            "status": poll.status,
            "started_at": poll.started_at.map(rfc3339),
            "ended_at": poll.ended_at.map(rfc3339),
            "votes": all,
            "voters": voters.len(),
            "options": options.collect::<Vec<_>>(),
        })
    });
    polls.collect()
}

/// A ratio with four decimals, floored; null without voters.
fn share(chosen_by: usize, voters: usize) -> Value {
    let Some(ten_thousandths) = (chosen_by * 10_000).checked_div(voters) else {
        return Value::Null;
    };
    let units = i64::try_from(ten_thousandths).expect("a few votes");
    serde_json::from_str(&decimals(units, 4)).expect("a number")
}
