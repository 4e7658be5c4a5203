//! The rules of bodies and lines.

use super::*;

type Named = Vec<(usize, &'static str)>;

/// The number of good records and the rejections of a body.
fn body(text: &[u8], format: &dyn Format) -> Result<(usize, Named), DecodeError> {
    let mut good = 0;
    let rejections = decode_body(text, format, context(), |_| good += 1)?;
    let named = rejections
        .listed
        .iter()
        .map(|rejected| (rejected.index, rejected.reason.as_str()))
        .collect();
    Ok((good, named))
}

#[test]
fn a_body_has_no_more_records_than_good_ones_could_be() {
    let lines = "x\n".repeat(RECORDS_MAX + 1);
    for (format, body) in [
        (NDJSON, lines.as_str()),
        (JSON, &format!("[{}0]", "0,".repeat(RECORDS_MAX))),
    ] {
        let read = decode_body(body.as_bytes(), format, context(), |_| {});
        assert_eq!(read, Err(DecodeError::TooManyRecords), "{format:?}");
    }
    let fits = &lines[..2 * RECORDS_MAX];
    let read = decode_body(fits.as_bytes(), NDJSON, context(), |_| {});
    assert_eq!(read.unwrap().total, RECORDS_MAX);
}

#[test]
fn a_long_body_of_brackets_is_not_parsed() {
    let deep = "[".repeat(100_000);
    let read = |format| decode_body(deep.as_bytes(), format, context(), |_| {});
    assert!(matches!(read(JSON), Err(DecodeError::MalformedJson(_))));
    for format in [NDJSON, PLAIN] {
        assert_eq!(
            read(format).unwrap().listed[0].reason.as_str(),
            "RECORD_TOO_LARGE"
        );
    }
    // Inside an array it is one rejected record.
    let closed = format!("[{}, {deep}{}]", chat(), "]".repeat(deep.len()));
    for format in [JSON, PLAIN] {
        let mut good = 0;
        let read = decode_body(closed.as_bytes(), format, context(), |_| good += 1).unwrap();
        assert_eq!((good, read.total), (1, 1), "{format:?}");
        assert_eq!(read.listed[0].reason.as_str(), "RECORD_TOO_LARGE");
    }
}

#[test]
fn lines_are_counted_with_blank_ones() {
    let text = format!("\r\n{}\r\n  \n[]\n{{\n{}", event(), chat());
    assert_eq!(
        body(text.as_bytes(), NDJSON),
        Ok((2, vec![(3, "NOT_AN_OBJECT"), (4, "MALFORMED_JSON")]))
    );
}

#[test]
fn a_malformed_line_is_one_rejected_record() {
    let mut text = event().to_string().into_bytes();
    text.extend_from_slice(b"\n{\"type\":\"event\",\"extra\":\"\xff\"}\n");
    text.extend_from_slice(br#"{"type":"ev"#);
    assert_eq!(
        body(&text, NDJSON),
        Ok((1, vec![(1, "MALFORMED_JSON"), (2, "MALFORMED_JSON")]))
    );
}

#[test]
fn an_array_is_taken_whole_or_not_at_all() {
    let whole = json!([event(), 7, null, "x", [], chat()]).to_string();
    assert_eq!(
        body(whole.as_bytes(), JSON),
        Ok((
            2,
            [1, 2, 3, 4].map(|index| (index, "NOT_AN_OBJECT")).to_vec()
        ))
    );
    for end in 1..whole.len() {
        assert!(
            matches!(
                body(&whole.as_bytes()[..end], JSON),
                Err(DecodeError::MalformedJson(_))
            ),
            "{end}"
        );
    }
    assert!(body(format!("{whole}]").as_bytes(), JSON).is_err());
    assert!(body(format!("{whole},{{}}").as_bytes(), JSON).is_err());
    assert_eq!(body(b"[]", JSON), Ok((0, vec![])));
}

/// Records that are not JSON, with the reason and the field of their rejections.
const MALFORMED: [(&[u8], &str, Option<&str>); 19] = [
    (
        br#"{"type":"chat","text":"great \ud83d"}"#,
        "INVALID_TEXT",
        Some("text"),
    ),
    (
        br#"{"text":"\ud83d\u0041","type":"chat"}"#,
        "INVALID_TEXT",
        Some("text"),
    ),
    (br#"{"text":"\ude00"}"#, "INVALID_TEXT", Some("text")),
    (
        br#"{"options":[{"id":"a"},{"text":"\ud83d"}]}"#,
        "INVALID_TEXT",
        Some("options[1].text"),
    ),
    (
        br#"{"option_ids":["a","\ud83d"]}"#,
        "INVALID_TEXT",
        Some("option_ids[1]"),
    ),
    (br#"{"rate":1e999}"#, "OUT_OF_RANGE", Some("rate")),
    (
        br#"{"position_ms":-1e999}"#,
        "OUT_OF_RANGE",
        Some("position_ms"),
    ),
    (br#"{"rate":NaN}"#, "MALFORMED_JSON", Some("rate")),
    (br#"{"rate":.5}"#, "MALFORMED_JSON", Some("rate")),
    (br#"{"rate":}"#, "MALFORMED_JSON", Some("rate")),
    (br#"{"name":'ada'}"#, "MALFORMED_JSON", Some("name")),
    (br#"{"text":"said "hi""}"#, "MALFORMED_JSON", Some("text")),
    (br#"{"text":"C:\data"}"#, "MALFORMED_JSON", Some("text")),
    (b"{\"text\":\"a\tb\"}", "MALFORMED_JSON", Some("text")),
    (b"{\"text\":\"caf\xe9\"}", "MALFORMED_JSON", Some("text")),
    (b"{\"extra\":\"\xff\"}", "MALFORMED_JSON", None),
    (br#"{"ada@example.com":NaN}"#, "MALFORMED_JSON", None),
    (
        br#"{"type":"chat"} {"type":"chat"}"#,
        "MALFORMED_JSON",
        None,
    ),
    (br#"{type:"chat"}"#, "MALFORMED_JSON", None),
];

#[test]
fn a_malformed_record_is_one_rejection_in_each_format() {
    let good = chat().to_string();
    for (bad, reason, field) in MALFORMED {
        let lines = [good.as_bytes(), b"\n", bad, b"\n", good.as_bytes()].concat();
        let array = [
            b"[",
            good.as_bytes(),
            b",",
            bad,
            b" , ",
            good.as_bytes(),
            b"]",
        ]
        .concat();
        for (text, format) in [
            (&lines, NDJSON),
            (&lines, PLAIN),
            (&array, JSON),
            (&array, PLAIN),
        ] {
            let mut kept = 0;
            let read = decode_body(text, format, context(), |_| kept += 1).unwrap();
            let bad = String::from_utf8_lossy(bad);
            assert_eq!((kept, read.total), (2, 1), "{bad}, {format:?}");
            let named = &read.listed[0];
            let found = (named.index, named.reason.as_str(), named.field.as_deref());
            assert_eq!(
                found,
                (1, reason, field),
                "{bad}, {format:?}: {}",
                named.message
            );
            if let Some(field) = field {
                assert!(
                    named.message.starts_with(&format!("`{field}` ")),
                    "{named:?}"
                );
            }
            assert!(!named.message.contains("ada"), "{named:?}");
        }
    }
}

#[test]
fn a_malformed_record_alone_is_one_rejection() {
    for (bad, reason, _) in MALFORMED {
        if bad.ends_with(br#"} {"type":"chat"}"#) {
            assert!(matches!(
                body(bad, JSON),
                Err(DecodeError::MalformedJson(_))
            ));
        } else {
            assert_eq!(body(bad, JSON), Ok((0, vec![(0, reason)])));
        }
    }
}

#[test]
fn a_comma_too_many_is_one_rejection() {
    let rejection = vec![(1, "MALFORMED_JSON")];
    let end = format!("[{},]", chat());
    assert_eq!(body(end.as_bytes(), JSON), Ok((1, rejection.clone())));
    let middle = format!("[{} , ,{}]", chat(), chat());
    assert_eq!(body(middle.as_bytes(), JSON), Ok((2, rejection)));
}

#[test]
fn one_record_may_come_alone() {
    let pretty = serde_json::to_string_pretty(&chat()).unwrap();
    assert_eq!(body(pretty.as_bytes(), JSON), Ok((1, vec![])));
    assert_eq!(body(b"42", JSON), Ok((0, vec![(0, "NOT_AN_OBJECT")])));
}

#[test]
fn plain_text_is_json_if_it_is_one_value() {
    let pretty = serde_json::to_string_pretty(&json!([chat(), event()])).unwrap();
    assert_eq!(body(pretty.as_bytes(), PLAIN), Ok((2, vec![])));
    let lines = format!("{}\n{}\n", chat(), event());
    assert_eq!(body(lines.as_bytes(), PLAIN), Ok((2, vec![])));
    let lines = format!("{}\nnonsense", chat());
    assert_eq!(
        body(lines.as_bytes(), PLAIN),
        Ok((1, vec![(1, "MALFORMED_JSON")]))
    );
}

#[test]
fn a_blank_body_is_empty() {
    for format in [JSON, NDJSON, PLAIN] {
        for text in [&b""[..], b"\n \r\n", b"\xef\xbb\xbf"] {
            assert_eq!(body(text, format), Err(DecodeError::Empty));
        }
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_body() {
    let text = format!("\u{feff}{}\n{}", chat(), event());
    assert_eq!(body(text.as_bytes(), NDJSON), Ok((2, vec![])));
    // Where files were joined, each begins with one.
    let text = format!("\u{feff}{}\n\u{feff}{}\r\n\u{feff}\n", chat(), event());
    assert_eq!(body(text.as_bytes(), NDJSON), Ok((2, vec![])));
    let text = format!("\u{feff}[{}]", chat());
    assert_eq!(body(text.as_bytes(), JSON), Ok((1, vec![])));
}

#[test]
fn depth_overflows_no_stack() {
    for open in ["[", "{\"a\":", "{\"text\":[", "{\"options\":[{\"id\":"] {
        for (levels, reason) in [(1 << 20, "RECORD_TOO_LARGE"), (3_000, "MALFORMED_JSON")] {
            let deep = open.repeat(levels);
            assert!(body(deep.as_bytes(), JSON).is_err());
            assert_eq!(body(deep.as_bytes(), NDJSON), Ok((0, vec![(0, reason)])));
        }
    }
}

#[test]
fn listed_rejections_are_bounded_and_all_are_counted() {
    let text = "x\n".repeat(REJECTIONS_LISTED_MAX + 5);
    let rejections = decode_body(text.as_bytes(), NDJSON, context(), |_| {}).unwrap();
    assert_eq!(rejections.listed.len(), REJECTIONS_LISTED_MAX);
    assert_eq!(rejections.total, REJECTIONS_LISTED_MAX + 5);
}

/// A record of a poll with so many options and bytes.
fn poll_of(options: usize, bytes: usize) -> String {
    let record = |texts: Vec<usize>| {
        let option = |(id, length): (usize, &usize)| json!({"id": id, "text": "x".repeat(*length)});
        let options: Vec<Value> = texts.iter().enumerate().map(option).collect();
        with(poll(), "options", json!(options)).to_string()
    };
    let missing = bytes - record(vec![0; options]).len();
    let (each, rest) = (missing / options, missing % options);
    let texts = (0..options).map(|index| each + usize::from(index < rest));
    record(texts.collect())
}

#[test]
fn a_record_has_at_most_64_kib() {
    // Both have more options or longer texts than a poll usually has.
    for options in [1000, 65] {
        let largest = poll_of(options, 64 << 10);
        assert_eq!(largest.len(), 64 << 10);
        let too_large = poll_of(options, (64 << 10) + 1);
        let good = chat().to_string();
        for (text, format) in [
            (format!("{largest}\r\n{too_large}\n{good}"), NDJSON),
            (format!("{largest}\n{too_large}\n{good}"), PLAIN),
            (format!("[ {largest} ,{too_large},{good}]"), JSON),
            (format!("[{largest},{too_large},{good}]"), PLAIN),
        ] {
            let found = body(text.as_bytes(), format);
            assert_eq!(found, Ok((2, vec![(1, "RECORD_TOO_LARGE")])), "{format:?}");
        }
        let rejection = decode_record(too_large.as_bytes(), 0, context()).unwrap_err();
        assert!(rejection.message.contains("65537 bytes"), "{rejection:?}");
        assert_eq!(rejection.field, None);
    }
}
