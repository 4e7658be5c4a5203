//! The fast decoder of playbacks agrees with the general one.

use proptest::prelude::*;

use super::*;
use crate::playback::decode_playback;
use crate::reason::Reason;
use crate::record::{check, ensure_fields_once};

/// The record from the general decoder.
fn general(text: &str) -> Option<Record> {
    let element = serde_json::from_str(text).ok()?;
    ensure_fields_once(&element, text).ok()?;
    check(element, context()).ok()
}

fn field() -> impl Strategy<Value = String> {
    let names = [
        "type",
        "event_id",
        "playback_id",
        "from",
        "to",
        "device_id",
        "customer_id",
        "device_os",
        "geo_region",
        "user_agent",
        "ip",
        "position_ms",
        "rate",
        "unknown",
        "name",
        r"to\u006f",
    ];
    let values = [
        r#""playback""#,
        r#""chat""#,
        r#""p""#,
        r#""""#,
        "null",
        "7",
        "-1",
        "0",
        "1.5",
        "-0",
        "-1.5",
        "12345.678",
        "1e400",
        "true",
        "[]",
        "{}",
        r#""a\u0062""#,
        r#""\n""#,
        "\"\u{7f}\"",
        r#""TW""#,
        r#""tw""#,
        r#""TW-TPE""#,
        r#""Mozilla/5.0 (X11; CrOS x86_64 14541.0.0)""#,
        r#""140.112.0.1""#,
        r#""2026-11-22T10:00:00Z""#,
        r#""2026-11-22T10:00:10.5+01:00""#,
        "1795341600000",
        "1795341610000",
        "99999999999999",
        "18446744073709551615",
        r#"["playback"]"#,
    ];
    (
        prop::sample::select(names.to_vec()),
        prop::sample::select(values.to_vec()),
    )
        .prop_map(|(name, value)| format!("\"{name}\":{value}"))
}

/// A good playback with some fields added, removed, repeated and in another order.
fn line() -> impl Strategy<Value = String> {
    let good = vec![
        r#""type":"playback""#.to_owned(),
        r#""event_id":"e""#.to_owned(),
        r#""playback_id":"p""#.to_owned(),
        r#""from":1795341600000"#.to_owned(),
        r#""to":1795341610000"#.to_owned(),
    ];
    let count = good.len();
    let kept = prop::sample::subsequence(good, count.saturating_sub(1)..=count);
    (
        kept,
        prop::collection::vec(field(), 0..4),
        any::<prop::sample::Index>(),
        0..8usize,
    )
        .prop_map(|(mut fields, odd, at, ends)| {
            for field in odd {
                let at = at.index(fields.len() + 1);
                fields.insert(at, field);
            }
            let text = fields.join(" , ");
            match ends {
                0 => format!("[{text}]"),
                1 => format!("{{{text}}} x"),
                2 => format!("{{{text}"),
                3 => format!(" {{{text}}} "),
                _ => format!("{{{text}}}"),
            }
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn the_fast_decoder_agrees_with_the_general_one(text in line()) {
        if let Some(fast) = decode_playback(&text, context()) {
            let Some(Record::Playback(full)) = general(&text) else {
                return Err(TestCaseError::fail(format!("{text} is no playback")));
            };
            prop_assert_eq!(fast, full.borrowed());
        }
    }
}

#[test]
fn an_array_of_the_fields_is_no_record() {
    let line = r#"["playback","e","p",1795341600000,1795341610000,null,null,null,null,null,null,null,null]"#;
    assert_eq!(decode_playback(line, context()), None);
    assert_eq!(
        decode_record(line.as_bytes(), 0, context())
            .unwrap_err()
            .reason
            .as_str(),
        "NOT_AN_OBJECT"
    );
}

#[test]
fn a_plain_playback_takes_the_fast_decoder() {
    let line = playback().to_string();
    let read = decode_record(line.as_bytes(), 0, context()).expect("a good record");
    assert!(matches!(read, Decoded::Playback(_)), "{read:?}");
}

#[test]
fn the_name_of_a_viewer_is_kept_exactly() {
    let name = "Zo\u{eb} =1+1, \"Z\" ";
    // The first is read in full, because its text has an escape; the other is read in short.
    for name in [name, "Zoe"] {
        let Ok(Record::Playback(record)) = parse(&with(playback(), "name", json!(name))) else {
            panic!("{name:?} is a good name");
        };
        assert_eq!(record.name.as_deref(), Some(name));
    }
    let rejection = parse(&with(playback(), "name", json!("a\u{0}b"))).unwrap_err();
    assert_eq!(
        (rejection.reason, rejection.field.as_deref()),
        (Reason::InvalidText, Some("name"))
    );
}
