//! The rules of records.

use std::collections::BTreeSet;

use showreport_model::OptionId;
use showreport_model::record::{Choice, EventKind, Role, Voter};

use super::*;

/// Checks the reason and the field of the rejection of each record.
pub(super) fn rejected(cases: &[(Value, &str, &str)]) {
    for (record, reason, field) in cases {
        match parse(record) {
            Ok(_) => panic!("accepted: {record}"),
            Err(rejected) => {
                assert_eq!(
                    (rejected.reason.as_str(), rejected.field.as_deref()),
                    (*reason, Some(*field)),
                    "{record}: {}",
                    rejected.message
                );
                assert!(
                    rejected.message.contains(&format!("`{field}`")),
                    "{rejected:?}"
                );
            }
        }
    }
}

pub(super) fn accepted(cases: &[Value]) {
    for record in cases {
        if let Err(rejected) = parse(record) {
            panic!("{record}: {rejected:?}");
        }
    }
}

#[test]
fn each_type_is_read() {
    let Ok(Record::Event(read)) = parse(&with(event(), "duration_ms", json!(5))) else {
        panic!("an event");
    };
    assert_eq!((read.kind, read.duration_ms), (EventKind::Live, Some(5)));
    let Ok(Record::Playback(read)) = parse(&with(playback(), "geo_region", json!("de-by"))) else {
        panic!("a playback");
    };
    assert_eq!(read.span.millis(), 10_000);
    assert_eq!(read.geo_region.as_deref(), Some("DE-BY"));
    let Ok(Record::Chat(read)) = parse(&with(chat(), "role", json!("guest"))) else {
        panic!("a message");
    };
    assert_eq!((read.role, read.deleted), (Some(Role::Guest), false));
    let Ok(Record::Poll(read)) = parse(&poll()) else {
        panic!("a poll");
    };
    assert_eq!(read.choice, Choice::Single);
    assert_eq!(
        read.options
            .iter()
            .map(|option| option.correct)
            .collect::<Vec<_>>(),
        [true, false]
    );
    let Ok(Record::Vote(read)) = parse(&with(vote(), "option_ids", json!(["b", "a", "b"]))) else {
        panic!("a vote");
    };
    let ids: BTreeSet<&str> = read.options.iter().map(OptionId::as_str).collect();
    assert_eq!(ids, BTreeSet::from(["a", "b"]));
    assert!(matches!(read.voter, Voter::Device(_)));
}

#[test]
fn times_are_texts_with_an_offset_or_integers_and_are_floored() {
    for (time, millis) in [
        (json!("2026-11-22T10:00:00.9999Z"), 1_795_341_600_999),
        (json!("2026-11-22T11:00:00.9999+01:00"), 1_795_341_600_999),
        (json!(1_795_341_600_999_i64), 1_795_341_600_999),
    ] {
        let Ok(Record::Chat(read)) = parse(&with(chat(), "sent_at", time.clone())) else {
            panic!("{time}");
        };
        assert_eq!(read.sent_at.as_millis(), millis, "{time}");
    }
    let at = |time: Value| with(chat(), "sent_at", time);
    rejected(&[
        (at(json!(1e12)), "WRONG_TYPE", "sent_at"),
        (at(json!(1_795_341_600_999.5)), "WRONG_TYPE", "sent_at"),
        (at(json!(true)), "WRONG_TYPE", "sent_at"),
        (at(json!("1795341600999")), "INVALID_TIME", "sent_at"),
        (at(json!("2026-11-22T10:00:00")), "INVALID_TIME", "sent_at"),
        (at(json!("2026-11-22")), "INVALID_TIME", "sent_at"),
        (at(json!("")), "INVALID_TIME", "sent_at"),
        (at(json!(0)), "INVALID_TIME", "sent_at"),
        (
            at(json!("1999-12-31T23:59:59.999Z")),
            "INVALID_TIME",
            "sent_at",
        ),
        (at(json!(u64::MAX)), "INVALID_TIME", "sent_at"),
        (at(Value::Null), "MISSING_FIELD", "sent_at"),
    ]);
}

#[test]
fn an_exponent_makes_no_integer() {
    let line =
        br#"{"type":"chat","event_id":"e","message_id":"m","text":"","sent_at":1795341600e3}"#;
    assert_eq!(
        decode_record(line, 0, context())
            .unwrap_err()
            .reason
            .as_str(),
        "WRONG_TYPE"
    );
}

#[test]
fn a_time_may_be_an_hour_ahead() {
    let last = "2026-11-22T13:00:00.000Z";
    let late = "2026-11-22T13:00:00.001Z";
    accepted(&[
        with(chat(), "sent_at", json!(last)),
        with(vote(), "voted_at", json!(last)),
        with(playback(), "to", json!(last)),
        with(beat(), "at", json!(last)),
        // Only these times must not be in the future.
        with(event(), "starts_at", json!("2030-01-01T00:00:00Z")),
        with(chat(), "updated_at", json!("2030-01-01T00:00:00Z")),
    ]);
    rejected(&[
        (
            with(chat(), "sent_at", json!(late)),
            "TIME_IN_FUTURE",
            "sent_at",
        ),
        (
            with(vote(), "voted_at", json!(late)),
            "TIME_IN_FUTURE",
            "voted_at",
        ),
        (with(playback(), "to", json!(late)), "TIME_IN_FUTURE", "to"),
        (with(beat(), "at", json!(late)), "TIME_IN_FUTURE", "at"),
    ]);
}

#[test]
fn a_span_is_neither_empty_nor_longer_than_a_day() {
    let span = |from: &str, to: &str| with(with(playback(), "from", json!(from)), "to", json!(to));
    accepted(&[
        span("2026-11-21T10:00:00Z", "2026-11-22T10:00:00Z"),
        span("2026-11-21T10:00:00Z", "2026-11-21T10:00:00.001Z"),
    ]);
    rejected(&[
        (
            span("2026-11-21T10:00:00.0001Z", "2026-11-21T10:00:00.0009Z"),
            "EMPTY_SPAN",
            "to",
        ),
        (
            span("2026-11-21T10:00:01Z", "2026-11-21T10:00:00Z"),
            "EMPTY_SPAN",
            "to",
        ),
        (
            span("2026-11-21T10:00:00Z", "2026-11-22T10:00:00.001Z"),
            "SPAN_TOO_LONG",
            "to",
        ),
    ]);
}

#[test]
fn in_an_optional_field_null_absent_and_empty_are_the_same() {
    let mut optional: Vec<(Value, &str)> = Vec::new();
    for (record, fields) in [
        (
            event(),
            &["starts_at", "ends_at", "duration_ms", "updated_at"][..],
        ),
        (
            playback(),
            &[
                "device_id",
                "customer_id",
                "device_os",
                "geo_region",
                "name",
                "user_agent",
                "ip",
                "position_ms",
                "rate",
            ],
        ),
        (
            chat(),
            &[
                "customer_id",
                "device_id",
                "name",
                "role",
                "deleted",
                "updated_at",
            ],
        ),
        (poll(), &["started_at", "ended_at", "updated_at"]),
        (vote(), &["customer_id", "name", "vote_id"]),
    ] {
        optional.extend(fields.iter().map(|field| (record.clone(), *field)));
    }
    for (record, field) in optional {
        let absent = parse(&record).unwrap();
        for nothing in [json!(null), json!("")] {
            let same = parse(&with(record.clone(), field, nothing)).unwrap();
            assert_eq!(absent, same, "{field}");
        }
        for wrong in [json!([]), json!({})] {
            let rejection = parse(&with(record.clone(), field, wrong)).unwrap_err();
            assert_eq!(rejection.reason.as_str(), "WRONG_TYPE", "{field}");
        }
    }
}

#[test]
fn required_fields_are_required() {
    for (record, fields) in [
        (event(), &["event_id", "kind", "title"][..]),
        (playback(), &["event_id", "playback_id", "from", "to"]),
        (chat(), &["event_id", "message_id", "sent_at", "text"]),
        (
            poll(),
            &[
                "event_id", "poll_id", "question", "choice", "options", "status",
            ],
        ),
        (vote(), &["event_id", "poll_id", "option_ids", "voted_at"]),
    ] {
        for field in fields {
            let mut removed = record.clone();
            removed.as_object_mut().unwrap().remove(*field);
            let null = with(record.clone(), field, Value::Null);
            let object = with(record.clone(), field, json!({}));
            rejected(&[
                (removed, "MISSING_FIELD", field),
                (null, "MISSING_FIELD", field),
                (object, "WRONG_TYPE", field),
            ]);
        }
    }
}

#[test]
fn texts_may_be_empty_and_have_a_maximum() {
    accepted(&[
        with(chat(), "text", json!("")),
        with(event(), "title", json!("")),
        with(poll(), "question", json!("")),
        with(chat(), "text", json!("x".repeat(4096))),
        with(event(), "title", json!("x".repeat(1024))),
    ]);
    rejected(&[
        (
            with(chat(), "text", json!("x".repeat(4097))),
            "TOO_LONG",
            "text",
        ),
        (
            with(chat(), "text", json!("é".repeat(2049))),
            "TOO_LONG",
            "text",
        ),
        (
            with(event(), "title", json!("x".repeat(1025))),
            "TOO_LONG",
            "title",
        ),
        (
            with(chat(), "name", json!("x".repeat(1025))),
            "TOO_LONG",
            "name",
        ),
        (
            with(playback(), "name", json!("x".repeat(1025))),
            "TOO_LONG",
            "name",
        ),
        (
            with(playback(), "user_agent", json!("x".repeat(1025))),
            "TOO_LONG",
            "user_agent",
        ),
        (
            with(playback(), "ip", json!("x".repeat(1025))),
            "TOO_LONG",
            "ip",
        ),
    ]);
}

#[test]
fn ids_have_1_to_128_characters() {
    let id = |id: &str| with(playback(), "playback_id", json!(id));
    accepted(&[id(&"é".repeat(128)), id("=1+1"), id(" ")]);
    rejected(&[
        (id(""), "INVALID_ID", "playback_id"),
        (id(&"x".repeat(129)), "INVALID_ID", "playback_id"),
        (id("a\nb"), "INVALID_ID", "playback_id"),
        (
            with(playback(), "playback_id", json!(7.5)),
            "WRONG_TYPE",
            "playback_id",
        ),
        (
            with(playback(), "playback_id", json!(true)),
            "WRONG_TYPE",
            "playback_id",
        ),
        (
            with(playback(), "device_id", json!("\u{7f}")),
            "INVALID_ID",
            "device_id",
        ),
    ]);
}

#[test]
fn an_unknown_name_of_a_closed_list_is_rejected() {
    rejected(&[
        (
            with(event(), "kind", json!("LIVE")),
            "UNKNOWN_VALUE",
            "kind",
        ),
        (with(event(), "kind", json!("")), "UNKNOWN_VALUE", "kind"),
        (with(chat(), "role", json!("host")), "UNKNOWN_VALUE", "role"),
        (
            with(poll(), "choice", json!("many")),
            "UNKNOWN_VALUE",
            "choice",
        ),
        (
            with(poll(), "status", json!("open")),
            "UNKNOWN_VALUE",
            "status",
        ),
        (with(event(), "type", json!("view")), "UNKNOWN_TYPE", "type"),
        (with(event(), "type", json!(1)), "WRONG_TYPE", "type"),
        (json!({}), "MISSING_FIELD", "type"),
        (
            with(playback(), "geo_region", json!("Bavaria")),
            "INVALID_REGION",
            "geo_region",
        ),
    ]);
}

#[test]
fn a_value_of_another_type_is_rejected() {
    accepted(&[
        with(event(), "duration_ms", json!(0)),
        with(chat(), "deleted", json!(true)),
    ]);
    rejected(&[
        (
            with(event(), "duration_ms", json!(-1)),
            "OUT_OF_RANGE",
            "duration_ms",
        ),
        (
            with(event(), "duration_ms", json!(1e19)),
            "OUT_OF_RANGE",
            "duration_ms",
        ),
        (
            with(event(), "duration_ms", json!(u64::MAX)),
            "OUT_OF_RANGE",
            "duration_ms",
        ),
        (
            with(event(), "duration_ms", json!("5")),
            "WRONG_TYPE",
            "duration_ms",
        ),
        (
            with(playback(), "position_ms", json!(-1)),
            "OUT_OF_RANGE",
            "position_ms",
        ),
        (
            with(playback(), "position_ms", json!(-0.5)),
            "OUT_OF_RANGE",
            "position_ms",
        ),
        (with(playback(), "rate", json!(-1)), "OUT_OF_RANGE", "rate"),
        (
            with(playback(), "rate", json!(-1.5)),
            "OUT_OF_RANGE",
            "rate",
        ),
        (with(playback(), "rate", json!("1")), "WRONG_TYPE", "rate"),
        (
            with(chat(), "deleted", json!("true")),
            "WRONG_TYPE",
            "deleted",
        ),
        (with(chat(), "deleted", json!(1)), "WRONG_TYPE", "deleted"),
    ]);
}

#[test]
fn a_poll_has_options_of_their_own() {
    let options = |options: Value| with(poll(), "options", options);
    let option = json!({"id": "a", "text": "A"});
    rejected(&[
        (options(json!([])), "TOO_FEW_OPTIONS", "options"),
        (
            options(json!([option, option])),
            "REPEATED_OPTION",
            "options[1].id",
        ),
        (options(json!([option, "b"])), "WRONG_TYPE", "options[1]"),
        (options(json!([option, null])), "WRONG_TYPE", "options[1]"),
        (
            options(json!([option, {"text": "B"}])),
            "MISSING_FIELD",
            "options[1].id",
        ),
        (
            options(json!([option, {"id": "b"}])),
            "MISSING_FIELD",
            "options[1].text",
        ),
        (
            options(json!([option, {"id": "b", "text": "B", "correct": "no"}])),
            "WRONG_TYPE",
            "options[1].correct",
        ),
        (options(json!("a")), "WRONG_TYPE", "options"),
        (
            options(json!(vec![option.clone(); 1001])),
            "TOO_LONG",
            "options",
        ),
    ]);
    let many: Vec<Value> = (0..1000).map(|id| json!({"id": id, "text": "A"})).collect();
    accepted(&[
        options(json!([option, {"id": "b", "text": "B", "correct": null}])),
        options(json!([option])),
        options(json!(many)),
    ]);
}

#[test]
fn a_vote_needs_a_voter() {
    let voterless = with(vote(), "device_id", Value::Null);
    accepted(&[
        with(voterless.clone(), "customer_id", json!("c")),
        with(vote(), "option_ids", json!([])),
    ]);
    rejected(&[
        (voterless, "MISSING_VOTER", "customer_id"),
        (
            with(vote(), "option_ids", json!([1.5])),
            "WRONG_TYPE",
            "option_ids[0]",
        ),
        (
            with(vote(), "option_ids", json!(["a", ""])),
            "INVALID_ID",
            "option_ids[1]",
        ),
        (
            with(vote(), "option_ids", json!("a")),
            "WRONG_TYPE",
            "option_ids",
        ),
    ]);
}

#[test]
fn unknown_fields_are_ignored() {
    accepted(&[with(chat(), "extra", json!({"deep": [1, {"a": null}]}))]);
}

#[test]
fn no_message_repeats_a_text_of_a_viewer() {
    for record in [
        with(chat(), "text", json!("secret".repeat(1000))),
        with(chat(), "name", json!("secret".repeat(1000))),
        with(playback(), "customer_id", json!("secret\n")),
        with(
            with(chat(), "text", json!("secret")),
            "sent_at",
            json!("secret"),
        ),
    ] {
        let message = parse(&record).unwrap_err().message;
        assert!(!message.contains("secret"), "{message}");
    }
}
