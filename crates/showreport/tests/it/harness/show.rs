//! Short forms for the records of a story.

use serde_json::{Value, json};

use super::{Org, TestApp};
use crate::oracle::{Dimension, Field, ReportSpec};

/// The day of every story.
const DAY: &str = "2026-11-22";

/// One event, `keynote`, of one organisation, `acme`.
pub(crate) struct Show {
    pub(crate) app: TestApp,
    pub(crate) org: Org,
}

impl Show {
    pub(crate) async fn new() -> Self {
        Self::in_zone("UTC").await
    }

    pub(crate) async fn in_zone(zone: &str) -> Self {
        let app = TestApp::new().await;
        let org = app.org("acme", zone).await;
        Self { app, org }
    }

    /// Sends records of the event. `event_id` is added.
    pub(crate) async fn send(&self, records: impl IntoIterator<Item = Value>) {
        let records: Vec<Value> = records
            .into_iter()
            .map(|mut record| {
                record["event_id"] = json!("keynote");
                record
            })
            .collect();
        self.app.accept(&self.org, &records).await;
    }

    /// The report as CSV.
    pub(crate) async fn report(&self, dimension: Dimension, fields: &[Field]) -> String {
        self.csv(&ReportSpec::new(dimension).by(fields)).await
    }

    pub(crate) async fn csv(&self, question: &ReportSpec) -> String {
        self.app.csv(&self.org, "keynote", question).await
    }
}

/// An instant of the day: `10:00` or `10:00:07.250`.
pub(crate) fn at(clock: &str) -> String {
    let seconds = if clock.len() == 5 { ":00" } else { "" };
    format!("{DAY}T{clock}{seconds}Z")
}

/// A playback record. The span is written as `10:00..10:30`.
pub(crate) fn watches(customer: &str, playback: &str, span: &str) -> Value {
    let (from, to) = span.split_once("..").expect("a span");
    json!({
        "type": "playback",
        "playback_id": playback,
        "customer_id": customer,
        "from": at(from),
        "to": at(to),
    })
}

/// A chat record.
pub(crate) fn says(customer: &str, message: &str, clock: &str, text: &str) -> Value {
    json!({
        "type": "chat",
        "message_id": message,
        "customer_id": customer,
        "sent_at": at(clock),
        "text": text,
    })
}

/// A poll with the options `yes` and `no`.
pub(crate) fn poll(id: &str, choice: &str) -> Value {
    json!({
        "type": "poll",
        "poll_id": id,
        "question": format!("{id}?"),
        "choice": choice,
        "options": [{"id": "yes", "text": "Yes!", "correct": true}, {"id": "no", "text": "No."}],
        "status": "active",
    })
}

/// A vote.
pub(crate) fn votes(customer: &str, poll: &str, clock: &str, options: &[&str]) -> Value {
    json!({
        "type": "vote",
        "poll_id": poll,
        "customer_id": customer,
        "voted_at": at(clock),
        "option_ids": options,
    })
}
