//! The records of each organisation, and the reports that it orders.

use serde_json::json;

use super::site::Tenant;

/// A show about two events: one with an id that both organisations have, and one of its own.
pub(super) fn records(canary: &str, own: &str, noon: u64) -> String {
    let later = noon + 1_800_000;
    let mut lines = String::new();
    for event in [own, "keynote"] {
        let records = [
            json!({"type": "event", "event_id": event, "kind": "live", "title": format!("title {canary}")}),
            json!({"type": "playback", "event_id": event, "playback_id": "tab-1", "from": noon, "to": later,
                "customer_id": format!("customer-{canary}"), "device_id": format!("device-{canary}"),
                "device_os": format!("os-{canary}"), "geo_region": "TW"}),
            json!({"type": "chat", "event_id": event, "message_id": "m1", "sent_at": noon, "name": format!("name {canary}"),
                "customer_id": format!("customer-{canary}"), "text": format!("text {canary}")}),
            json!({"type": "poll", "event_id": event, "poll_id": "p1", "choice": "single", "status": "active",
                "question": format!("question {canary}"),
                "options": [{"id": "yes", "text": format!("yes {canary}")}, {"id": "no", "text": "no"}]}),
            json!({"type": "vote", "event_id": event, "poll_id": "p1", "option_ids": ["yes"], "voted_at": noon,
                "customer_id": format!("customer-{canary}"), "name": format!("name {canary}")}),
        ];
        for record in records {
            lines += &record.to_string();
            lines.push('\n');
        }
    }
    lines
}

/// Playbacks without system and region: one with what a back end says of its viewer, one of the
/// player itself, and one that is rejected.
pub(super) fn traced(tenant: &Tenant, noon: u64) -> [String; 3] {
    let mut record = json!({
        "type": "playback", "event_id": tenant.ids.event, "playback_id": "by-player", "from": noon, "to": noon + 60_000,
        "customer_id": format!("customer-{}", tenant.canary),
    });
    let of_player = record.to_string();
    record["playback_id"] = json!("by-back-end");
    record["user_agent"] = json!(tenant.agent);
    record["ip"] = json!(tenant.address);
    let of_back_end = record.to_string();
    record["geo_region"] = json!("nowhere");
    [of_back_end, of_player, record.to_string()]
}

/// Every dimension, whole and grouped, as CSV and as NDJSON.
pub(super) fn orders(event: &str) -> String {
    let mut entries = Vec::new();
    for dimension in [
        "WATCH_TIME",
        "CHAT_HISTORIES",
        "POLL_SUMMARIES",
        "POLL_VOTES",
    ] {
        for fields in [
            json!([]),
            json!(["GROUP_BY_FIELD_CUSTOMER_ID", "GROUP_BY_FIELD_DEVICE_OS"]),
        ] {
            for format in ["csv", "ndjson"] {
                entries.push(json!({
                    "dimension": format!("REPORT_DIMENSION_{dimension}"),
                    "group_by_fields": fields, "format": format,
                }));
            }
        }
    }
    json!({"id": event, "type": "EVENT_TYPE_LIVE", "dimension_with_conditions": entries})
        .to_string()
}
