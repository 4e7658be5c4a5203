//! Each rule for records, with values that are accepted and refused.

use serde_json::{Value, json};

use crate::harness::{BEGINNING, Show};

const HOUR: i64 = 3_600_000;
const YEAR_2000: i64 = 946_684_800_000;

/// A good record of each type.
fn good(kind: &str) -> Value {
    match kind {
        "event" => json!({"type": "event", "event_id": "e", "kind": "live", "title": "Keynote"}),
        "playback" => json!({
            "type": "playback", "event_id": "e", "playback_id": "p",
            "from": "2026-11-22T10:00:00Z", "to": "2026-11-22T10:00:10Z",
        }),
        "beat" => json!({
            "type": "beat", "event_id": "e", "playback_id": "p", "at": "2026-11-22T10:00:00Z",
            "playing": false,
        }),
        "chat" => json!({
            "type": "chat", "event_id": "e", "message_id": "m",
            "sent_at": "2026-11-22T10:00:00Z", "text": "hello",
        }),
        "poll" => json!({
            "type": "poll", "event_id": "e", "poll_id": "q", "question": "?", "choice": "single",
            "options": [{"id": "a", "text": "A"}, {"id": "b", "text": "B"}], "status": "active",
        }),
        _ => json!({
            "type": "vote", "event_id": "e", "poll_id": "q", "option_ids": ["a"],
            "voted_at": "2026-11-22T10:00:00Z", "customer_id": "ada",
        }),
    }
}

/// The good record with other fields.
fn with(kind: &str, fields: &Value) -> Value {
    let mut record = good(kind);
    for (name, value) in fields.as_object().expect("fields") {
        record[name] = value.clone();
    }
    record
}

/// Records that only look odd.
fn odd_but_good() -> Vec<Value> {
    let from = 1_795_305_600_000i64;
    let playback = |fields: Value| with("playback", &fields);
    let words = |kind: &str, fields: Value| with(kind, &fields);
    vec![
        words(
            "event",
            json!({"starts_at": from, "ends_at": null, "duration_ms": 0, "kind": "aod"}),
        ),
        words(
            "event",
            json!({"updated_at": "2026-11-22t10:00:00z", "kind": "vod"}),
        ),
        playback(json!({"from": from, "to": from + 1})),
        playback(json!({"from": from, "to": from + 24 * HOUR})),
        playback(json!({"from": "2026-11-21T10:00:00.000999Z", "to": "2026-11-22T10:00:00.000Z"})),
        playback(json!({"from": "2026-11-22T23:00:00.5+14:00", "to": "2026-11-22T23:00:01-00:00"})),
        playback(json!({"from": BEGINNING, "to": BEGINNING + HOUR})),
        playback(
            json!({"geo_region": "us-ca", "device_os": "", "ip": "192.0.2.1", "user_agent": "x"}),
        ),
        playback(json!({"geo_region": "FR", "position_ms": 0, "rate": 2})),
        playback(json!({"geo_region": "GB-1a2", "position_ms": null, "rate": 0.25})),
        playback(json!({"from": "2016-12-31T23:59:59.9Z", "to": "2016-12-31T23:59:60.1Z"})),
        playback(json!({"position_ms": 12345.678, "rate": 0, "customer_id": 7, "playback_id": 8})),
        playback(json!({"position_ms": -0.0, "rate": 1e9})),
        playback(json!({"position_ms": from, "rate": 1e300})),
        words(
            "beat",
            json!({"seq": 0, "playing": true, "at": BEGINNING + HOUR}),
        ),
        words(
            "beat",
            json!({"seq": i64::MAX, "geo_region": "us-ca", "playback_id": 8}),
        ),
        words(
            "beat",
            json!({"seq": null, "name": "", "user_agent": "x", "ip": "192.0.2.1"}),
        ),
        words("poll", json!({"options": [{"id": 1, "text": "A"}]})),
        words(
            "vote",
            json!({"option_ids": [1, "1", 2], "vote_id": 18_446_744_073_709_551_615u64}),
        ),
        playback(json!({"playback_id": "é".repeat(128), "device_id": null, "unknown": {"a": []}})),
        words(
            "chat",
            json!({"text": "", "deleted": false, "role": "guest", "name": ""}),
        ),
        words(
            "chat",
            json!({"text": "x".repeat(4096), "name": "n".repeat(1024), "updated_at": YEAR_2000}),
        ),
        words(
            "chat",
            json!({"sent_at": BEGINNING + HOUR, "deleted": null, "role": null}),
        ),
        words(
            "poll",
            json!({"choice": "multi", "status": "queued", "started_at": YEAR_2000, "ended_at": ""}),
        ),
        words(
            "vote",
            json!({"option_ids": [], "customer_id": null, "device_id": "tv"}),
        ),
        words(
            "vote",
            json!({"option_ids": ["a", "a", "zz"], "vote_id": "1", "voted_at": BEGINNING + HOUR}),
        ),
    ]
}

#[tokio::test]
async fn valid_records_of_all_shapes_are_accepted() {
    let show = Show::new().await;
    let mut records = ["event", "playback", "beat", "chat", "poll", "vote"]
        .map(good)
        .to_vec();
    records.extend(odd_but_good());
    let response = show.app.collect(&show.org, &records).await;
    response.is(202);
    assert_eq!(
        response.json(),
        json!({"accepted": records.len(), "rejected": []})
    );
}

/// Fields of each type, each with values that are wrong there.
fn wrong_values() -> Vec<(&'static str, &'static str, Value)> {
    let too_late = BEGINNING + HOUR + 1;
    let long = |length: usize| "x".repeat(length);
    vec![
        ("playback", "type", json!(["dance", "", null, 7])),
        ("playback", "event_id", json!(["", null, 7.5, "a\tb"])),
        (
            "playback",
            "playback_id",
            json!(["é".repeat(129), "a\nb", "\u{7f}", {}]),
        ),
        (
            "playback",
            "from",
            json!([
                "2026-11-22T10:00:00",
                "2026-11-22",
                "2026-11-21T12:30:60Z",
                "",
                null
            ]),
        ),
        (
            "playback",
            "from",
            json!([1_795_305_600.5, true, YEAR_2000 - 1, "1999-12-31T23:59:59Z"]),
        ),
        ("playback", "to", json!([too_late, "soon"])),
        (
            "playback",
            "geo_region",
            json!(["Taiwan", "T", "TW-", "TW-ABCD", "TW_TPE", "1W", 886]),
        ),
        ("playback", "device_os", json!([long(1025), 11])),
        (
            "playback",
            "customer_id",
            json!([long(129), "a\u{0}b", ["ada"]]),
        ),
        ("playback", "position_ms", json!([-1, "far"])),
        ("playback", "rate", json!(["fast"])),
        ("beat", "at", json!([too_late, null, "soon", 0])),
        ("beat", "playing", json!([null, "", "true", 1])),
        ("beat", "seq", json!([-1, 1.5, "1", u64::MAX])),
        ("beat", "playback_id", json!([null, ""])),
        ("beat", "geo_region", json!(["Taiwan"])),
        ("event", "kind", json!(["party", null, "LIVE"])),
        ("event", "title", json!([null, long(1025)])),
        ("event", "duration_ms", json!([-1, "long"])),
        ("event", "starts_at", json!(["soon"])),
        ("chat", "text", json!([null, long(4097), 7])),
        ("chat", "name", json!([long(1025)])),
        ("chat", "role", json!(["king"])),
        ("chat", "deleted", json!(["yes", 1])),
        ("chat", "sent_at", json!([too_late, null])),
        ("chat", "message_id", json!([null])),
        ("poll", "choice", json!(["all", null])),
        ("poll", "status", json!(["open", null])),
        ("poll", "options", json!(["a,b", null, {"a": "A"}])),
        ("poll", "question", json!([null, long(1025)])),
        ("vote", "voted_at", json!([too_late, null])),
        ("vote", "option_ids", json!(["a", null])),
        ("vote", "vote_id", json!([5.5, long(129)])),
        ("vote", "poll_id", json!(["", null])),
    ]
}

#[tokio::test]
async fn each_broken_rule_names_its_field() {
    let show = Show::new().await;
    let mut broken = Vec::new();
    for (kind, field, values) in wrong_values() {
        for value in values.as_array().expect("values") {
            broken.push((field, with(kind, &json!({ field: value }))));
        }
    }
    let records: Vec<Value> = broken.iter().map(|(_, record)| record.clone()).collect();
    let response = show.app.collect(&show.org, &records).await;
    response.refused(400);
    let response = response.json();
    let rejected = response["rejected"].as_array().expect("rejected");
    for (index, (field, record)) in broken.iter().enumerate() {
        let found = rejected.iter().find(|rejected| rejected["index"] == index);
        let named = found.map(|rejected| rejected["field"].as_str());
        assert_eq!(named, Some(Some(*field)), "{record}");
    }
    assert_eq!(rejected.len(), broken.len());
}

#[tokio::test]
async fn rules_over_several_fields_are_checked() {
    let show = Show::new().await;
    let option = |id: &str| json!({"id": id, "text": id});
    let from = 1_795_305_600_000i64;
    let broken = [
        // Nothing is left after flooring.
        with(
            "playback",
            &json!({"from": "2026-11-22T10:00:00.0001Z", "to": "2026-11-22T10:00:00.0009Z"}),
        ),
        with("playback", &json!({"from": from, "to": from})),
        with("playback", &json!({"from": from, "to": from - 1})),
        with(
            "playback",
            &json!({"from": from, "to": from + 24 * HOUR + 1}),
        ),
        with("poll", &json!({"options": []})),
        with(
            "poll",
            &json!({"options": [option("a"), option("b"), option("a")]}),
        ),
        with(
            "poll",
            &json!({"options": [option("a"), {"text": "no id"}]}),
        ),
        with(
            "poll",
            &json!({"options": [option("a"), {"id": "no text"}]}),
        ),
        with("vote", &json!({"customer_id": null})),
        with("vote", &json!({"customer_id": "", "device_id": ""})),
        with("vote", &json!({"option_ids": ["a", 7.5]})),
        with("vote", &json!({"option_ids": ["a", ""]})),
        json!([good("vote")]),
    ];
    let response = show.app.collect(&show.org, &broken).await;
    response.refused(400);
    assert_eq!(
        response.json()["rejected"]
            .as_array()
            .expect("rejected")
            .len(),
        broken.len(),
        "{}",
        response.text()
    );
}
