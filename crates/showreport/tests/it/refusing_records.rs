//! Each rule for a record, from both sides.

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

#[tokio::test]
async fn good_records_in_all_their_forms_are_accepted() {
    let show = Show::new().await;
    let records = [
        good("event"),
        with(
            "event",
            &json!({"starts_at": 1_795_305_600_000i64, "ends_at": null, "duration_ms": 0, "kind": "aod"}),
        ),
        with(
            "event",
            &json!({"updated_at": "2026-11-22t10:00:00z", "kind": "vod"}),
        ),
        good("playback"),
        with(
            "playback",
            &json!({"from": 1_795_305_600_000i64, "to": 1_795_305_600_001i64}),
        ),
        with(
            "playback",
            &json!({"from": "2026-11-21T10:00:00.000999Z", "to": "2026-11-22T10:00:00.000Z"}),
        ),
        with(
            "playback",
            &json!({"from": "2026-11-22T23:00:00.5+14:00", "to": "2026-11-22T23:00:01-00:00"}),
        ),
        with(
            "playback",
            &json!({"from": BEGINNING, "to": BEGINNING + HOUR}),
        ),
        with(
            "playback",
            &json!({"geo_region": "us-ca", "device_os": "", "ip": "192.0.2.1", "user_agent": "x"}),
        ),
        with(
            "playback",
            &json!({"geo_region": "FR", "position_ms": 0, "rate": 2}),
        ),
        with(
            "playback",
            &json!({"geo_region": "GB-1a2", "position_ms": null, "rate": 0.25}),
        ),
        with(
            "playback",
            &json!({"playback_id": "é".repeat(128), "device_id": null, "unknown": {"a": []}}),
        ),
        good("chat"),
        with(
            "chat",
            &json!({"text": "", "deleted": false, "role": "guest", "name": ""}),
        ),
        with(
            "chat",
            &json!({"text": "x".repeat(4096), "name": "n".repeat(1024), "updated_at": YEAR_2000}),
        ),
        with(
            "chat",
            &json!({"sent_at": BEGINNING + HOUR, "deleted": null, "role": null}),
        ),
        good("poll"),
        with(
            "poll",
            &json!({"choice": "multi", "status": "queued", "started_at": YEAR_2000, "ended_at": ""}),
        ),
        good("vote"),
        with(
            "vote",
            &json!({"option_ids": [], "customer_id": null, "device_id": "tv"}),
        ),
        with(
            "vote",
            &json!({"option_ids": ["a", "a", "zz"], "vote_id": "1", "voted_at": BEGINNING + HOUR}),
        ),
    ];
    let answer = show.app.collect(&show.org, &records).await;
    answer.is(202);
    assert_eq!(
        answer.json(),
        json!({"accepted": records.len(), "rejected": []})
    );
}

#[tokio::test]
async fn each_broken_rule_names_its_field() {
    let show = Show::new().await;
    let broken = [
        with("playback", &json!({"type": "dance"})),
        with("playback", &json!({"event_id": ""})),
        with("playback", &json!({"event_id": null})),
        with("playback", &json!({"event_id": 7})),
        with("playback", &json!({"playback_id": "é".repeat(129)})),
        with("playback", &json!({"playback_id": "a\nb"})),
        with("playback", &json!({"from": "2026-11-22T10:00:00"})),
        with("playback", &json!({"from": "22 November"})),
        with("playback", &json!({"from": 1_795_305_600.5})),
        with("playback", &json!({"from": true})),
        with("playback", &json!({"from": YEAR_2000 - 1})),
        with(
            "playback",
            &json!({"from": BEGINNING, "to": BEGINNING + HOUR + 1}),
        ),
        with("playback", &json!({"geo_region": "Taiwan"})),
        with("playback", &json!({"geo_region": "T"})),
        with("playback", &json!({"geo_region": "TW-"})),
        with("playback", &json!({"geo_region": "TW-ABCD"})),
        with("playback", &json!({"geo_region": "TW_TPE"})),
        with("playback", &json!({"device_os": "x".repeat(1025)})),
        with("playback", &json!({"device_os": 11})),
        with("playback", &json!({"position_ms": -1})),
        with("playback", &json!({"position_ms": "far"})),
        with("playback", &json!({"rate": "fast"})),
        with("event", &json!({"kind": "party"})),
        with("event", &json!({"kind": null})),
        with("event", &json!({"duration_ms": -1})),
        with("event", &json!({"starts_at": "soon"})),
        with("chat", &json!({"text": null})),
        with("chat", &json!({"text": "x".repeat(4097)})),
        with("chat", &json!({"name": "x".repeat(1025)})),
        with("chat", &json!({"role": "king"})),
        with("chat", &json!({"deleted": "yes"})),
        with("chat", &json!({"sent_at": BEGINNING + HOUR + 1})),
        with("chat", &json!({"message_id": null})),
        with("poll", &json!({"choice": "all"})),
        with("poll", &json!({"status": "open"})),
        with("poll", &json!({"options": "a,b"})),
        with("poll", &json!({"question": null})),
        with("vote", &json!({"voted_at": BEGINNING + HOUR + 1})),
        with("vote", &json!({"option_ids": null})),
        with("vote", &json!({"option_ids": "a"})),
        with("vote", &json!({"vote_id": 5})),
        with("vote", &json!({"poll_id": ""})),
    ];
    // The field that is wrong is the last one that was set.
    let fields = [
        "type",
        "event_id",
        "event_id",
        "event_id",
        "playback_id",
        "playback_id",
        "from",
        "from",
        "from",
        "from",
        "from",
        "to",
        "geo_region",
        "geo_region",
        "geo_region",
        "geo_region",
        "geo_region",
        "device_os",
        "device_os",
        "position_ms",
        "position_ms",
        "rate",
        "kind",
        "kind",
        "duration_ms",
        "starts_at",
        "text",
        "text",
        "name",
        "role",
        "deleted",
        "sent_at",
        "message_id",
        "choice",
        "status",
        "options",
        "question",
        "voted_at",
        "option_ids",
        "option_ids",
        "vote_id",
        "poll_id",
    ];
    let answer = show.app.collect(&show.org, &broken).await;
    answer.refused(400);
    let answer = answer.json();
    let rejected = answer["rejected"].as_array().expect("rejected");
    let named: Vec<(&Value, &Value)> = rejected
        .iter()
        .map(|it| (&it["index"], &it["field"]))
        .collect();
    for (index, field) in fields.iter().enumerate() {
        let found = named.iter().find(|(at, _)| **at == index);
        assert_eq!(
            found.map(|(_, field)| field.as_str()),
            Some(Some(*field)),
            "{}",
            broken[index]
        );
    }
    assert_eq!(rejected.len(), broken.len());
}

#[tokio::test]
async fn rules_over_several_fields_hold() {
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
        with("poll", &json!({"options": [option("a")]})),
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
        with("vote", &json!({"option_ids": ["a", 7]})),
        with("vote", &json!({"option_ids": ["a", ""]})),
        json!([good("vote")]),
    ];
    let answer = show.app.collect(&show.org, &broken).await;
    answer.refused(400);
    assert_eq!(
        answer.json()["rejected"]
            .as_array()
            .expect("rejected")
            .len(),
        broken.len(),
        "{}",
        answer.text()
    );
    let longest = with("playback", &json!({"from": from, "to": from + 24 * HOUR}));
    show.app.collect(&show.org, &[longest]).await.is(202);
}
