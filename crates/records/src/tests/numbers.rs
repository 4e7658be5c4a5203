//! Numbers as ids and as positions, and leap seconds.

use showreport_model::OptionId;

use super::records::{accepted, rejected};
use super::*;

#[test]
fn an_integer_is_an_id_by_its_digits() {
    let option = |id: Value| json!({"id": id, "text": ""});
    for number in [
        json!(7),
        json!(0),
        json!(-7),
        json!(i64::MAX),
        json!(u64::MAX),
    ] {
        let digits = json!(number.to_string());
        for (record, fields) in [
            (event(), &["event_id"][..]),
            (
                playback(),
                &["event_id", "playback_id", "customer_id", "device_id"],
            ),
            (
                beat(),
                &["event_id", "playback_id", "customer_id", "device_id"],
            ),
            (
                chat(),
                &["event_id", "message_id", "customer_id", "device_id"],
            ),
            (poll(), &["event_id", "poll_id"]),
            (
                vote(),
                &["event_id", "poll_id", "customer_id", "device_id", "vote_id"],
            ),
        ] {
            for field in fields {
                let as_number = parse(&with(record.clone(), field, number.clone()));
                let as_text = parse(&with(record.clone(), field, digits.clone()));
                assert_eq!(as_number.unwrap(), as_text.unwrap(), "{field}: {number}");
            }
        }
        let chosen = |id: &Value| parse(&with(vote(), "option_ids", json!([id, "b"]))).unwrap();
        assert_eq!(chosen(&number), chosen(&digits));
        let offered =
            |id: &Value| parse(&with(poll(), "options", json!([option(id.clone())]))).unwrap();
        assert_eq!(offered(&number), offered(&digits));
    }
    // The two would be one id.
    rejected(&[(
        with(
            poll(),
            "options",
            json!([option(json!(7)), option(json!("7"))]),
        ),
        "REPEATED_OPTION",
        "options[1].id",
    )]);
}

#[test]
fn an_id_may_have_more_digits_than_a_number() {
    let line = |id: &str| {
        format!(
            r#"{{"type":"vote","event_id":{id},"poll_id":"q","customer_id":{id},"option_ids":[{id},{id}1],"voted_at":1795341600000}}"#
        )
    };
    for digits in [
        "18446744073709551616",
        "-9223372036854775809",
        &"9".repeat(127),
    ] {
        let Ok(Decoded::Record(Record::Vote(read))) =
            decode_record(line(digits).as_bytes(), 0, context())
        else {
            panic!("a vote: {digits}");
        };
        assert_eq!(read.event.as_str(), digits);
        assert_eq!(
            read.voter.customer().map(ToString::to_string).as_deref(),
            Some(digits)
        );
        let options: Vec<&str> = read.options.iter().map(OptionId::as_str).collect();
        assert_eq!(options, [digits, &format!("{digits}1")]);
    }
    for (digits, reason) in [
        ("1e20", "WRONG_TYPE"),
        ("7.5", "WRONG_TYPE"),
        (&"9".repeat(129), "INVALID_ID"),
    ] {
        let line = line(digits);
        let refused = decode_record(line.as_bytes(), 0, context()).unwrap_err();
        assert_eq!(
            (refused.reason.as_str(), refused.field.as_deref()),
            (reason, Some("event_id"))
        );
    }
}

#[test]
fn a_position_is_any_number_from_0() {
    // What is above the bounds gives no position, and is no error.
    for number in [
        "0",
        "-0",
        "0.0",
        "-0.0",
        "2",
        "0.25",
        "12345.678",
        "1e12",
        "9e307",
    ] {
        let number: Value = serde_json::from_str(number).unwrap();
        accepted(&[
            with(playback(), "position_ms", number.clone()),
            with(playback(), "rate", number),
        ]);
    }
    accepted(&[
        with(playback(), "position_ms", json!(u64::MAX)),
        with(playback(), "rate", json!(u64::MAX)),
    ]);
    for (number, millis) in [
        (json!(5_400_123.999), 5_400_123),
        (json!(12.0), 12),
        (json!(-0.0), 0),
    ] {
        let Ok(Record::Event(read)) = parse(&with(event(), "duration_ms", number)) else {
            panic!("an event");
        };
        assert_eq!(read.duration_ms, Some(millis));
    }
}

#[test]
fn a_leap_second_keeps_the_order() {
    let span = |from: &str, to: &str| with(with(playback(), "from", json!(from)), "to", json!(to));
    let (before, leap) = ("2016-12-31T23:59:59.900Z", "2016-12-31T23:59:60.100Z");
    let Ok(Record::Playback(read)) = parse(&span(before, leap)) else {
        panic!("a playback");
    };
    assert_eq!(read.span.millis(), 99);
    accepted(&[span(leap, "2017-01-01T00:00:00Z")]);
    let voted_at = |time: &str| match parse(&with(vote(), "voted_at", json!(time))) {
        Ok(Record::Vote(vote)) => vote.voted_at,
        other => panic!("{other:?}"),
    };
    assert!(voted_at(before) < voted_at(leap));
    let no_time = json!("2026-11-22T10:30:60Z");
    rejected(&[(
        with(vote(), "voted_at", no_time),
        "INVALID_TIME",
        "voted_at",
    )]);
}
