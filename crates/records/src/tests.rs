//! How records and bodies are decoded.

use std::sync::LazyLock;

use serde_json::{Value, json};
use showreport_model::record::{PlaybackRecord, Record};
use showreport_origins::Origins;

use crate::context::Context;
use crate::format::{DecodeError, Format, RECORDS_MAX, REJECTIONS_LISTED_MAX, decode_body};
use crate::formats::{Json, Ndjson, Plain};
use crate::record::{Decoded, Rejection, decode_record};

mod bodies;
mod formats;
mod plain;
mod records;
mod numbers;
mod beats;
mod origins;
mod repeated;
mod viewer_tokens;

const JSON: &dyn Format = &Json;
const NDJSON: &dyn Format = &Ndjson;
const PLAIN: &dyn Format = &Plain;

/// At noon of one day.
fn context() -> &'static Context {
    static CONTEXT: LazyLock<Context> = LazyLock::new(|| {
        let now = "2026-11-22T12:00:00Z".parse().unwrap();
        Context::new(now, Origins::open(None).unwrap())
    });
    &CONTEXT
}

fn parse(record: &Value) -> Result<Record, Rejection> {
    decode_record(record.to_string().as_bytes(), 0, context()).map(owned)
}

fn owned(parsed: Decoded<'_>) -> Record {
    let playback = match parsed {
        Decoded::Playback(playback) => playback,
        Decoded::Record(record) => return record,
    };
    let known = "an id that was checked";
    Record::Playback(PlaybackRecord {
        event: playback.event.parse().expect(known),
        playback: playback.playback.parse().expect(known),
        span: playback.span,
        coverage: playback.coverage,
        device: playback.device.map(|id| id.parse().expect(known)),
        customer: playback.customer.map(|id| id.parse().expect(known)),
        device_os: playback.device_os.map(str::to_owned),
        geo_region: playback.geo_region.map(str::to_owned),
        name: playback.name.map(str::to_owned),
    })
}

/// The record with one field changed; `null` removes it.
fn with(mut record: Value, field: &str, value: impl Into<Value>) -> Value {
    record[field] = value.into();
    record
}

fn event() -> Value {
    json!({"type": "event", "event_id": "e", "kind": "live", "title": "Keynote"})
}

fn playback() -> Value {
    json!({
        "type": "playback", "event_id": "e", "playback_id": "p",
        "from": "2026-11-22T10:00:00Z", "to": "2026-11-22T10:00:10Z",
    })
}

fn beat() -> Value {
    json!({
        "type": "beat", "event_id": "e", "playback_id": "p", "at": "2026-11-22T10:00:00Z",
        "playing": true,
    })
}

fn chat() -> Value {
    json!({
        "type": "chat", "event_id": "e", "message_id": "m",
        "sent_at": "2026-11-22T10:00:00Z", "text": "hello",
    })
}

fn poll() -> Value {
    json!({
        "type": "poll", "event_id": "e", "poll_id": "q", "question": "?", "choice": "single",
        "options": [{"id": "a", "text": "A", "correct": true}, {"id": "b", "text": ""}],
        "status": "active",
    })
}

fn vote() -> Value {
    json!({
        "type": "vote", "event_id": "e", "poll_id": "q", "option_ids": ["a"],
        "voted_at": "2026-11-22T10:00:00Z", "device_id": "d",
    })
}

#[test]
fn no_text_holds_nul() {
    let refused = |record: &Value, field: &str| {
        let rejected = parse(record).unwrap_err();
        assert_eq!(rejected.reason.as_str(), "INVALID_TEXT", "{record}");
        assert_eq!(rejected.field.as_deref(), Some(field), "{record}");
    };
    for (record, field) in [
        (event(), "title"),
        (playback(), "device_os"),
        (playback(), "user_agent"),
        (playback(), "ip"),
        (beat(), "device_os"),
        (beat(), "user_agent"),
        (beat(), "ip"),
        (beat(), "name"),
        (chat(), "text"),
        (chat(), "name"),
        (poll(), "question"),
        (vote(), "name"),
    ] {
        refused(&with(record, field, json!("before\0after")), field);
    }
    let options = json!([{"id": "a", "text": "A\0"}, {"id": "b", "text": "B"}]);
    refused(&with(poll(), "options", options), "options[0].text");
}

#[test]
fn a_deletion_may_name_the_message_alone() {
    let by_id = json!({"type": "chat", "event_id": "e", "message_id": 7, "deleted": true});
    let later = "2026-11-22T10:00:00Z";
    for (record, updated_at) in [
        (by_id.clone(), None),
        (with(by_id.clone(), "sent_at", json!("")), None),
        (with(by_id.clone(), "customer_id", json!("moderator")), None),
        (
            with(by_id.clone(), "updated_at", json!(later)),
            later.parse().ok(),
        ),
    ] {
        let Ok(Record::ChatDeletion(read)) = parse(&record) else {
            panic!("a deletion: {record}");
        };
        assert_eq!((read.message.as_str(), read.updated_at), ("7", updated_at));
    }
    // With its time it is a version of the message, which may leave out the text.
    let version = with(by_id.clone(), "sent_at", json!(later));
    assert!(
        matches!(parse(&version), Ok(Record::Chat(read)) if read.deleted && read.text.is_empty())
    );
    records::rejected(&[
        (
            with(by_id.clone(), "deleted", json!(false)),
            "MISSING_FIELD",
            "sent_at",
        ),
        (
            with(version, "deleted", json!(false)),
            "MISSING_FIELD",
            "text",
        ),
        (with(by_id.clone(), "name", json!(7)), "WRONG_TYPE", "name"),
        (
            with(by_id, "text", json!("x".repeat(4097))),
            "TOO_LONG",
            "text",
        ),
    ]);
}
