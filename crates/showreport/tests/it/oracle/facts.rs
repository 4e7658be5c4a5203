//! The records of one event as views, messages, polls and votes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::beats::{Beat, claims};
use super::clock::millis;

/// A person or a device: the kind of its id and the id. The kinds never collide.
pub(crate) type Identity = (&'static str, String);

/// Half-open, in milliseconds.
pub(crate) type Span = (i64, i64);

/// One playback. Empty is absent.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    pub(crate) playback: String,
    /// With the claims of the beats. Empty if the view was never playing.
    pub(crate) spans: Vec<Span>,
    beats: Vec<Beat>,
    /// Intervals of the content.
    pub(crate) coverage: Vec<Span>,
    pub(crate) customer: String,
    pub(crate) device: String,
    pub(crate) os: String,
    pub(crate) region: String,
    pub(crate) name: String,
}

impl View {
    pub(crate) fn viewer(&self) -> Identity {
        customer_else_device(&self.customer, &self.device)
            .unwrap_or_else(|| ("playback", self.playback.clone()))
    }
}

pub(crate) fn customer_else_device(customer: &str, device: &str) -> Option<Identity> {
    if !customer.is_empty() {
        Some(("customer", customer.to_owned()))
    } else if !device.is_empty() {
        Some(("device", device.to_owned()))
    } else {
        None
    }
}

/// A version of a message. The greatest is the latest: fields are compared in their order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Message {
    pub(crate) updated_at: i64,
    pub(crate) deleted: bool,
    pub(crate) text: String,
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) customer: String,
    pub(crate) device: String,
    pub(crate) sent_at: i64,
}

/// A version of a poll. The greatest is the latest, by the first three fields.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Poll {
    updated_at: Option<i64>,
    pub(crate) question: String,
    json: String,
    pub(crate) choice: String,
    pub(crate) status: String,
    pub(crate) started_at: Option<i64>,
    pub(crate) ended_at: Option<i64>,
    /// Id to (text, correct).
    pub(crate) options: BTreeMap<String, (String, bool)>,
}

/// A version of what the event is. The greatest is the latest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Registration {
    updated_at: Option<i64>,
    title: String,
    json: String,
    duration: Option<i64>,
    starts_at: Option<i64>,
    ends_at: Option<i64>,
}

/// Everything that makes two votes different. The latest is the greatest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct VoteKey {
    pub(crate) poll: String,
    pub(crate) voter: Identity,
    pub(crate) voted_at: i64,
    pub(crate) vote: String,
    pub(crate) options: Vec<String>,
}

/// The attributes of equal votes: each is the least non-empty value.
#[derive(Debug, Clone, Default)]
pub(crate) struct VoteDetails {
    pub(crate) customer: String,
    pub(crate) device: String,
    pub(crate) name: String,
}

/// The facts of one event.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    registration: Option<Registration>,
    pub(crate) views: BTreeMap<String, View>,
    pub(crate) messages: BTreeMap<String, Message>,
    /// Until when versions of a message are deleted by its id alone.
    deletions: BTreeMap<String, i64>,
    pub(crate) polls: BTreeMap<String, Poll>,
    pub(crate) votes: BTreeMap<VoteKey, VoteDetails>,
}

impl Facts {
    pub(crate) fn of(records: &[Value], event: &str) -> Self {
        let mut facts = Self::default();
        for record in records.iter().filter(|record| record["event_id"] == event) {
            match record["type"].as_str() {
                Some("event") => facts.add_registration(record),
                Some("playback") => facts.add_span(record),
                Some("beat") => facts.add_beat(record),
                Some("chat") => facts.add_message(record),
                Some("poll") => facts.add_poll(record),
                Some("vote") => facts.add_vote(record),
                other => panic!("no such type: {other:?}"),
            }
        }
        for view in facts.views.values_mut() {
            view.spans.extend(claims(&view.beats));
        }
        for (id, until) in &facts.deletions {
            if let Some(message) = facts.messages.get_mut(id) {
                message.deleted |= message.updated_at <= *until;
            }
        }
        facts
    }

    /// The views with any time.
    pub(crate) fn watched(&self) -> impl Iterator<Item = &View> {
        self.views.values().filter(|view| !view.spans.is_empty())
    }

    /// The length of the content: that of the event, else the end of the furthest coverage.
    pub(crate) fn content_length(&self) -> i64 {
        let given = self.registration.as_ref().and_then(|it| it.duration);
        let coverage = self.views.values().flat_map(|view| &view.coverage);
        let furthest = coverage.map(|span| span.1).max();
        given.or(furthest).unwrap_or(0)
    }

    /// The window of the event: both ends, the later one after the other.
    pub(crate) fn window(&self) -> Option<Span> {
        let registration = self.registration.as_ref()?;
        let window = (registration.starts_at?, registration.ends_at?);
        (window.0 < window.1).then_some(window)
    }

    fn add_registration(&mut self, record: &Value) {
        let version = Registration {
            updated_at: time(record, "updated_at"),
            title: text(record, "title"),
            json: event_json(record),
            duration: record["duration_ms"].as_i64(),
            starts_at: time(record, "starts_at"),
            ends_at: time(record, "ends_at"),
        };
        if self
            .registration
            .as_ref()
            .is_none_or(|held| *held < version)
        {
            self.registration = Some(version);
        }
    }

    fn add_span(&mut self, record: &Value) {
        let span = (millis(&record["from"]), millis(&record["to"]));
        let view = self.view_of(record);
        view.spans.push(span);
        view.coverage.extend(covered(record, span));
    }

    fn add_beat(&mut self, record: &Value) {
        let seq = record["seq"].as_i64();
        let playing = record["playing"].as_bool().expect("playing");
        let beat = (seq, millis(&record["at"]), playing);
        self.view_of(record).beats.push(beat);
    }

    /// The view that a record is about, with the record's attributes.
    fn view_of(&mut self, record: &Value) -> &mut View {
        let playback = text(record, "playback_id");
        let view = self.views.entry(playback.clone()).or_default();
        view.playback = playback;
        keep_least(&mut view.customer, text(record, "customer_id"));
        keep_least(&mut view.device, text(record, "device_id"));
        keep_least(&mut view.os, text(record, "device_os"));
        keep_least(&mut view.region, text(record, "geo_region").to_uppercase());
        keep_least(&mut view.name, text(record, "name"));
        view
    }

    fn add_message(&mut self, record: &Value) {
        let Some(sent_at) = time(record, "sent_at") else {
            let until = time(record, "updated_at").unwrap_or(i64::MAX);
            keep_greatest(&mut self.deletions, text(record, "message_id"), until);
            return;
        };
        let version = Message {
            updated_at: time(record, "updated_at").unwrap_or(sent_at),
            deleted: record["deleted"] == true,
            text: text(record, "text"),
            name: text(record, "name"),
            role: text(record, "role"),
            customer: text(record, "customer_id"),
            device: text(record, "device_id"),
            sent_at,
        };
        keep_greatest(&mut self.messages, text(record, "message_id"), version);
    }

    fn add_poll(&mut self, record: &Value) {
        let options = record["options"].as_array().expect("options").iter();
        let version = Poll {
            updated_at: time(record, "updated_at"),
            question: text(record, "question"),
            json: poll_json(record),
            choice: text(record, "choice"),
            status: text(record, "status"),
            started_at: time(record, "started_at"),
            ended_at: time(record, "ended_at"),
            options: options
                .map(|option| {
                    (
                        text(option, "id"),
                        (text(option, "text"), option["correct"] == true),
                    )
                })
                .collect(),
        };
        keep_greatest(&mut self.polls, text(record, "poll_id"), version);
    }

    fn add_vote(&mut self, record: &Value) {
        let options = record["option_ids"].as_array().expect("option_ids").iter();
        let options: BTreeSet<&str> = options.map(|id| id.as_str().expect("an id")).collect();
        let (customer, device) = (text(record, "customer_id"), text(record, "device_id"));
        let key = VoteKey {
            poll: text(record, "poll_id"),
            voter: customer_else_device(&customer, &device).expect("a voter"),
            voted_at: millis(&record["voted_at"]),
            vote: text(record, "vote_id"),
            options: options.into_iter().map(str::to_owned).collect(),
        };
        let details = self.votes.entry(key).or_default();
        keep_least(&mut details.customer, customer);
        keep_least(&mut details.device, device);
        keep_least(&mut details.name, text(record, "name"));
    }
}

/// The part of the content that a playback record covers. Rates are counted in thousandths.
fn covered(record: &Value, (from, to): Span) -> Option<Span> {
    let position = record["position_ms"].as_f64()?.floor();
    let rate = record["rate"].as_f64().unwrap_or(1.0);
    let thousandths = (rate * 1_000.0).round();
    if position > 30.0 * 86_400_000.0 || thousandths > 16_000.0 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole and small")]
    let (position, thousandths) = (position as i64, thousandths as i64);
    let end = position + (to - from) * thousandths / 1_000;
    (position < end).then_some((position, end))
}

/// A text; null, empty and absent are the same.
fn text(record: &Value, field: &str) -> String {
    record[field].as_str().unwrap_or_default().to_owned()
}

fn time(record: &Value, field: &str) -> Option<i64> {
    match &record[field] {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        sent => Some(millis(sent)),
    }
}

fn keep_least(kept: &mut String, candidate: String) {
    if !candidate.is_empty() && (kept.is_empty() || candidate < *kept) {
        *kept = candidate;
    }
}

fn keep_greatest<T: Ord>(kept: &mut BTreeMap<String, T>, id: String, version: T) {
    if kept.get(&id).is_none_or(|held| *held < version) {
        kept.insert(id, version);
    }
}

/// The record as JSON with sorted keys: absent fields left out, times in milliseconds.
fn event_json(record: &Value) -> String {
    let mut fields = BTreeMap::from([("type", Value::from("event").to_string())]);
    for field in ["event_id", "kind", "title"] {
        fields.insert(field, Value::from(text(record, field)).to_string());
    }
    for field in ["starts_at", "ends_at", "updated_at"] {
        if let Some(at) = time(record, field) {
            fields.insert(field, at.to_string());
        }
    }
    if let Some(duration) = record["duration_ms"].as_i64() {
        fields.insert("duration_ms", duration.to_string());
    }
    let fields: Vec<String> = fields
        .iter()
        .map(|(key, value)| format!("\"{key}\":{value}"))
        .collect();
    format!("{{{}}}", fields.join(","))
}

/// The record as JSON with sorted keys: absent fields left out, times in milliseconds.
fn poll_json(record: &Value) -> String {
    let string = |text: &str| Value::from(text).to_string();
    let options = record["options"]
        .as_array()
        .expect("options")
        .iter()
        .map(|option| {
            let (id, words) = (string(&text(option, "id")), string(&text(option, "text")));
            format!(
                "{{\"correct\":{},\"id\":{id},\"text\":{words}}}",
                option["correct"] == true
            )
        });
    let mut fields = BTreeMap::from([
        (
            "options",
            format!("[{}]", options.collect::<Vec<_>>().join(",")),
        ),
        ("type", string("poll")),
    ]);
    for field in ["choice", "event_id", "poll_id", "question", "status"] {
        fields.insert(field, string(&text(record, field)));
    }
    for field in ["started_at", "ended_at", "updated_at"] {
        if let Some(at) = time(record, field) {
            fields.insert(field, at.to_string());
        }
    }
    let fields: Vec<String> = fields
        .iter()
        .map(|(key, value)| format!("\"{key}\":{value}"))
        .collect();
    format!("{{{}}}", fields.join(","))
}
