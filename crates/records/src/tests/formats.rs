//! What holds for every format, and for one that is added.

use super::*;
use crate::format::Sink;
use crate::formats::{BODY_FORMATS, FILE_FORMATS, body_format, file_format};
use crate::reason::Reason;

#[test]
fn a_format_is_found_by_each_of_its_names() {
    for format in BODY_FORMATS {
        let found = body_format(format.media_type()).expect("a format");
        assert_eq!(format!("{found:?}"), format!("{format:?}"));
        assert!(!format.description().is_empty());
    }
    for format in FILE_FORMATS {
        for extension in format.extensions() {
            let found = file_format(extension).expect("a format");
            assert_eq!(format!("{found:?}"), format!("{format:?}"));
        }
    }
    assert!(body_format("text/csv").is_none());
    assert!(file_format("json").is_none());
}

/// A format as an extension would write it: `playback_id from to`, one playback a line.
#[derive(Debug)]
struct Columns;

impl Format for Columns {
    fn media_type(&self) -> &'static str {
        "text/columns"
    }

    fn description(&self) -> &'static str {
        "a playback a line"
    }

    fn decode(&self, body: &[u8], sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        for (index, line) in String::from_utf8_lossy(body).lines().enumerate() {
            let columns: Vec<&str> = line.split(' ').collect();
            if let [playback, from, to] = columns[..] {
                let record = json!({
                    "type": "playback", "event_id": "e", "playback_id": playback, "from": from, "to": to,
                });
                sink.record(record.to_string().as_bytes(), index)?;
            } else {
                let message = format!("the line has {} columns; it must have 3", columns.len());
                sink.reject(index, Reason::MalformedCsv, message)?;
            }
        }
        Ok(())
    }
}

#[test]
fn a_new_format_takes_the_rules_of_records_as_they_are() {
    let body = "p 2026-11-22T10:00:00Z 2026-11-22T10:00:10Z\np\np 2026-11-22T10:00:00Z yesterday";
    let mut good = Vec::new();
    let rejections = decode_body(body.as_bytes(), &Columns, context(), |record| {
        good.push(owned(record));
    });
    let rejections = rejections.unwrap();
    assert_eq!(good, [parse(&playback()).unwrap()]);
    let listed: Vec<_> = rejections
        .listed
        .iter()
        .map(|it| (it.index, it.reason))
        .collect();
    assert_eq!(
        listed,
        [(1, Reason::MalformedCsv), (2, Reason::InvalidTime)]
    );
    let empty = decode_body(b" ", &Columns, context(), |_| {});
    assert_eq!(empty, Err(DecodeError::Empty));
}

#[test]
fn text_in_utf_16_is_refused_whatever_the_format() {
    let body: Vec<u8> = "{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for format in BODY_FORMATS {
        let error = decode_body(&body, *format, context(), |_| {}).unwrap_err();
        assert!(matches!(error, DecodeError::NotUtf8(_)), "{error:?}");
        assert!(error.to_string().contains("iconv -f UTF-16"), "{error}");
    }
}
