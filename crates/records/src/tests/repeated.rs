//! Fields that a record has twice.

use super::*;

/// The record with more fields before its end.
fn and(record: &Value, more: &str) -> String {
    let text = record.to_string();
    format!("{},{more}}}", text.strip_suffix('}').unwrap())
}

/// Records with a field twice, and its path.
fn repeating() -> Vec<(String, Option<&'static str>)> {
    let with_option = |more: &str| {
        let id = r#""id":"a""#;
        poll().to_string().replacen(id, &format!("{id},{more}"), 1)
    };
    vec![
        (
            and(&playback(), r#""to":"2026-11-22T10:00:20Z""#),
            Some("to"),
        ),
        (
            and(&playback(), r#""to":"2026-11-22T10:00:10Z""#),
            Some("to"),
        ),
        (
            and(&playback(), r#""customer_id":null,"customer_id":"ada""#),
            Some("customer_id"),
        ),
        (and(&playback(), r#""name":"a","name":"a""#), Some("name")),
        (and(&playback(), r#""t\u006f":1"#), Some("to")),
        (and(&chat(), r#""text":"bye""#), Some("text")),
        (and(&event(), r#""type":"event""#), Some("type")),
        (with_option(r#""text":"B""#), Some("options[0].text")),
        (and(&playback(), r#""secret":1,"secret":1"#), None),
        (
            and(&playback(), r#""unknown":[{"to":{"secret":1,"secret":2}}]"#),
            None,
        ),
        (and(&vote(), r#""option_ids":[]"#), Some("option_ids")),
    ]
}

#[test]
fn a_repeated_field_is_rejected_by_name_in_each_format() {
    for (record, path) in repeating() {
        let good = chat();
        let bodies = [
            (format!("{good}\n{record}\n{good}"), NDJSON),
            (format!("{good}\n{record}\n{good}"), PLAIN),
            (format!("[{good}, {record}, {good}]"), JSON),
            (format!("[{good},{record},{good}]"), PLAIN),
        ];
        for (body, format) in bodies {
            let mut kept = 0;
            let read = decode_body(body.as_bytes(), format, context(), |_| kept += 1).unwrap();
            assert_eq!((kept, read.total), (2, 1), "{body}");
            let rejected = &read.listed[0];
            assert_eq!(
                (rejected.index, rejected.reason.as_str()),
                (1, "REPEATED_FIELD"),
                "{body}"
            );
            assert_eq!(rejected.field.as_deref(), path, "{body}");
            let message = &rejected.message;
            assert!(!message.contains("secret"), "{message}");
        }
        for format in [JSON, NDJSON, PLAIN] {
            let read = decode_body(record.as_bytes(), format, context(), |_| {}).unwrap();
            assert_eq!(read.listed[0].reason.as_str(), "REPEATED_FIELD", "{record}");
        }
    }
}

#[test]
fn fields_of_different_objects_and_values_are_not_repeated() {
    for more in [
        r#""unknown":{"to":1,"from":{"to":2}}"#,
        r#""unknown":["to","to"],"others":["to"]"#,
        r#""name":"to","user_agent":"\"to\":1""#,
        // Unknown fields are skipped, so they may hold values that cannot be represented.
        r#""unknown":[1e999,"\ud83d"]"#,
    ] {
        let line = and(&playback(), more);
        let read = decode_record(line.as_bytes(), 0, context());
        assert!(read.is_ok(), "{line}: {read:?}");
    }
}

#[test]
fn a_playback_with_a_name_takes_the_fast_decoder() {
    let line = and(&playback(), r#""name":"Ada""#);
    let read = decode_record(line.as_bytes(), 0, context()).expect("a good record");
    assert!(matches!(read, Decoded::Playback(_)), "{read:?}");
}
