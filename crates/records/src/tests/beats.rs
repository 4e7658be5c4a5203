//! Beats, and the coverage of playbacks.

use showreport_model::record::BeatRecord;

use super::records::{accepted, rejected};
use super::*;

fn parse_beat(record: &Value) -> BeatRecord {
    match parse(record) {
        Ok(Record::Beat(read)) => read,
        other => panic!("a beat: {record}: {other:?}"),
    }
}

#[test]
fn a_beat_has_the_fields_of_its_view() {
    let read = parse_beat(&json!({
        "type": "beat", "event_id": "e", "playback_id": 7, "at": "2026-11-22T10:00:00.0009Z",
        "playing": false, "seq": 12, "customer_id": "ada", "device_id": 1, "device_os": "iOS",
        "geo_region": "tw-tpe", "name": "Ada", "user_agent": "Mozilla/5.0", "ip": "192.0.2.1",
    }));
    let wanted = BeatRecord {
        event: "e".parse().unwrap(),
        playback: "7".parse().unwrap(),
        at: "2026-11-22T10:00:00Z".parse().unwrap(),
        seq: Some(12),
        playing: false,
        customer: "ada".parse().ok(),
        device: "1".parse().ok(),
        device_os: Some("iOS".to_owned()),
        geo_region: Some("TW-TPE".to_owned()),
        name: Some("Ada".to_owned()),
    };
    assert_eq!(read, wanted);
    let read = parse_beat(&beat());
    assert_eq!((read.seq, read.playing, read.customer), (None, true, None));
}

#[test]
fn what_a_beat_needs_must_be_there() {
    for field in ["event_id", "playback_id", "at", "playing"] {
        let mut removed = beat();
        removed.as_object_mut().unwrap().remove(field);
        let null = with(beat(), field, Value::Null);
        let object = with(beat(), field, json!({}));
        rejected(&[
            (removed, "MISSING_FIELD", field),
            (null, "MISSING_FIELD", field),
            (object, "WRONG_TYPE", field),
        ]);
    }
}

#[test]
fn what_a_beat_can_lack_may_be_null_or_empty() {
    let absent = parse(&beat()).unwrap();
    for field in [
        "seq",
        "customer_id",
        "device_id",
        "device_os",
        "geo_region",
        "name",
        "user_agent",
        "ip",
    ] {
        for nothing in [json!(null), json!("")] {
            let same = parse(&with(beat(), field, nothing)).unwrap();
            assert_eq!(absent, same, "{field}");
        }
        rejected(&[(with(beat(), field, json!([])), "WRONG_TYPE", field)]);
    }
}

#[test]
fn the_number_of_a_beat_is_an_integer_from_0() {
    let seq = |seq: Value| with(beat(), "seq", seq);
    for number in [0, 1, i64::MAX] {
        assert_eq!(parse_beat(&seq(json!(number))).seq, Some(number));
    }
    rejected(&[
        (seq(json!(-1)), "OUT_OF_RANGE", "seq"),
        (seq(json!(u64::MAX)), "OUT_OF_RANGE", "seq"),
        (seq(json!(1.5)), "WRONG_TYPE", "seq"),
        (seq(json!("1")), "WRONG_TYPE", "seq"),
        (with(beat(), "playing", json!(1)), "WRONG_TYPE", "playing"),
        (
            with(beat(), "playing", json!("true")),
            "WRONG_TYPE",
            "playing",
        ),
        (
            with(beat(), "geo_region", json!("Bavaria")),
            "INVALID_REGION",
            "geo_region",
        ),
        (with(beat(), "at", json!(1.5)), "WRONG_TYPE", "at"),
        (with(beat(), "at", json!(0)), "INVALID_TIME", "at"),
    ]);
}

/// The coverage of a playback of ten seconds, decoded by the fast decoder and by the general one.
fn coverage(position_ms: Value, rate: Value) -> Option<(i64, i64)> {
    let record = with(with(playback(), "position_ms", position_ms), "rate", rate);
    let of = |record: &Value| match parse(record) {
        Ok(Record::Playback(read)) => read.coverage.map(|it| (it.from(), it.to())),
        other => panic!("a playback: {record}: {other:?}"),
    };
    let covered = of(&record);
    // Only the general decoder takes unknown fields.
    assert_eq!(of(&with(record.clone(), "extra", json!(1))), covered);
    covered
}

#[test]
fn a_position_and_a_rate_give_the_coverage() {
    for (position_ms, rate, covered) in [
        (json!(0), json!(null), Some((0, 10_000))),
        (json!(5_000), json!(1), Some((5_000, 15_000))),
        (json!(5_000.999), json!(1.0), Some((5_000, 15_000))),
        (json!(0), json!(1.5), Some((0, 15_000))),
        (json!(0), json!(0.000_5), Some((0, 10))),
        (json!(0), json!(16.000_1), Some((0, 160_000))),
        (json!(-0.0), json!(16), Some((0, 160_000))),
        (
            json!(2_592_000_000_i64),
            json!(""),
            Some((2_592_000_000, 2_592_010_000)),
        ),
        // Without a position, outside of the bounds, or not moving.
        (json!(null), json!(1), None),
        (json!(""), json!(null), None),
        (json!(0), json!(0), None),
        (json!(0), json!(0.000_4), None),
        (json!(0), json!(16.001), None),
        (json!(0), json!(17), None),
        (json!(0), json!(u64::MAX), None),
        (json!(2_592_000_001_i64), json!(1), None),
        (json!(1_795_341_600_000_i64), json!(1), None),
        (json!(u64::MAX), json!(1), None),
        (json!(9e307), json!(9e307), None),
    ] {
        let found = coverage(position_ms.clone(), rate.clone());
        assert_eq!(found, covered, "{position_ms} {rate}");
    }
}

#[test]
fn a_position_or_a_rate_is_checked_without_the_other() {
    accepted(&[with(playback(), "rate", json!(2))]);
    rejected(&[
        (with(playback(), "rate", json!(-1)), "OUT_OF_RANGE", "rate"),
        (with(playback(), "rate", json!("2")), "WRONG_TYPE", "rate"),
        (
            with(playback(), "position_ms", json!("0")),
            "WRONG_TYPE",
            "position_ms",
        ),
        (
            with(playback(), "position_ms", json!(true)),
            "WRONG_TYPE",
            "position_ms",
        ),
    ]);
}
