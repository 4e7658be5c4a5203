//! The rules of bodies and lines.

use super::*;

type Named = Vec<(usize, &'static str)>;

/// The number of good records and the rejections of a body.
fn body(text: &[u8], form: Form) -> Result<(usize, Named), Broken> {
    let mut good = 0;
    let rejections = parse_body(text, form, now(), |_| good += 1)?;
    let named = rejections
        .named
        .iter()
        .map(|rejected| (rejected.index, rejected.reason))
        .collect();
    Ok((good, named))
}

#[test]
fn a_body_has_no_more_records_than_good_ones_could_be() {
    let lines = "x\n".repeat(RECORDS_MAX + 1);
    for (form, body) in [
        (Form::Ndjson, lines.as_str()),
        (Form::Json, &format!("[{}0]", "0,".repeat(RECORDS_MAX))),
    ] {
        let read = parse_body(body.as_bytes(), form, Timestamp::MIN, |_| {});
        assert_eq!(read, Err(Broken::TooMany), "{form:?}");
    }
    let fits = &lines[..2 * RECORDS_MAX];
    let read = parse_body(fits.as_bytes(), Form::Ndjson, Timestamp::MIN, |_| {});
    assert_eq!(read.unwrap().total, RECORDS_MAX);
}

#[test]
fn a_long_body_of_brackets_is_not_read() {
    let deep = "[".repeat(100_000);
    let read = |form| parse_body(deep.as_bytes(), form, Timestamp::MIN, |_| {});
    assert!(matches!(read(Form::Json), Err(Broken::Json(why)) if why.contains("deeper")));
    for form in [Form::Ndjson, Form::Either] {
        assert_eq!(read(form).unwrap().named[0].reason, "MALFORMED_JSON");
    }
}

#[test]
fn lines_are_counted_with_blank_ones() {
    let text = format!("\r\n{}\r\n  \n[]\n{{\n{}", event(), chat());
    assert_eq!(
        body(text.as_bytes(), Form::Ndjson),
        Ok((2, vec![(3, "NOT_AN_OBJECT"), (4, "MALFORMED_JSON")]))
    );
}

#[test]
fn a_malformed_line_is_one_rejected_record() {
    let mut text = event().to_string().into_bytes();
    text.extend_from_slice(b"\n{\"type\":\"event\",\"extra\":\"\xff\"}\n");
    text.extend_from_slice(br#"{"type":"ev"#);
    assert_eq!(
        body(&text, Form::Ndjson),
        Ok((1, vec![(1, "MALFORMED_JSON"), (2, "MALFORMED_JSON")]))
    );
}

#[test]
fn an_array_is_taken_whole_or_not_at_all() {
    let whole = json!([event(), 7, null, "x", [], chat()]).to_string();
    assert_eq!(
        body(whole.as_bytes(), Form::Json),
        Ok((
            2,
            [1, 2, 3, 4].map(|index| (index, "NOT_AN_OBJECT")).to_vec()
        ))
    );
    for end in 1..whole.len() {
        assert!(
            matches!(
                body(&whole.as_bytes()[..end], Form::Json),
                Err(Broken::Json(_))
            ),
            "{end}"
        );
    }
    assert!(body(format!("{whole}]").as_bytes(), Form::Json).is_err());
    assert!(body(b"[{\"extra\":\"\xff\"}]", Form::Json).is_err());
    assert_eq!(body(b"[]", Form::Json), Ok((0, vec![])));
}

#[test]
fn one_record_may_come_alone() {
    let pretty = serde_json::to_string_pretty(&chat()).unwrap();
    assert_eq!(body(pretty.as_bytes(), Form::Json), Ok((1, vec![])));
    assert_eq!(body(b"42", Form::Json), Ok((0, vec![(0, "NOT_AN_OBJECT")])));
}

#[test]
fn a_body_of_either_form_is_json_if_it_is_one_value() {
    let pretty = serde_json::to_string_pretty(&json!([chat(), event()])).unwrap();
    assert_eq!(body(pretty.as_bytes(), Form::Either), Ok((2, vec![])));
    let lines = format!("{}\n{}\n", chat(), event());
    assert_eq!(body(lines.as_bytes(), Form::Either), Ok((2, vec![])));
    let lines = format!("{}\nnonsense", chat());
    assert_eq!(
        body(lines.as_bytes(), Form::Either),
        Ok((1, vec![(1, "MALFORMED_JSON")]))
    );
}

#[test]
fn nothing_is_an_empty_body() {
    for form in [Form::Json, Form::Ndjson, Form::Either] {
        for text in [&b""[..], b"\n \r\n", b"\xef\xbb\xbf"] {
            assert_eq!(body(text, form), Err(Broken::Empty));
        }
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_body() {
    let text = format!("\u{feff}{}\n{}", chat(), event());
    assert_eq!(body(text.as_bytes(), Form::Ndjson), Ok((2, vec![])));
    let text = format!("\u{feff}[{}]", chat());
    assert_eq!(body(text.as_bytes(), Form::Json), Ok((1, vec![])));
}

#[test]
fn depth_overflows_no_stack() {
    for open in ["[", "{\"a\":", "{\"text\":[", "{\"options\":[{\"id\":"] {
        let deep = open.repeat(1 << 20);
        assert!(body(deep.as_bytes(), Form::Json).is_err());
        assert_eq!(
            body(deep.as_bytes(), Form::Ndjson),
            Ok((0, vec![(0, "MALFORMED_JSON")]))
        );
    }
}

#[test]
fn named_rejections_are_bounded_and_all_are_counted() {
    let text = "x\n".repeat(REJECTIONS_NAMED_MAX + 5);
    let rejections = parse_body(text.as_bytes(), Form::Ndjson, now(), |_| {}).unwrap();
    assert_eq!(rejections.named.len(), REJECTIONS_NAMED_MAX);
    assert_eq!(rejections.total, REJECTIONS_NAMED_MAX + 5);
}
