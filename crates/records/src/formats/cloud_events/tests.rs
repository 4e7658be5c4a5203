//! Envelopes of the three modes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};
use showreport_model::record::Record;
use showreport_origins::Origins;

use crate::context::{Context, GivenFields};
use crate::format::{DecodeError, Format, decode_body};
use crate::formats::{CLOUD_EVENT_DATA, CloudEvent, CloudEventBatch};
use crate::record::Decoded;

fn context() -> Context {
    let now = "2026-11-22T12:00:00Z".parse().unwrap();
    Context::new(now, Origins::open(None).unwrap())
}

/// The reasons of rejections with their indexes and fields.
type Named = Vec<(usize, &'static str, Option<String>)>;

/// The messages of good chat records, and the rejections.
fn decode(
    format: &dyn Format,
    body: &[u8],
    context: &Context,
) -> Result<(Vec<String>, Named), DecodeError> {
    let mut messages = Vec::new();
    let rejections = decode_body(body, format, context, |record| match record {
        Decoded::Record(Record::Chat(chat)) => messages.push(chat.message.to_string()),
        other => panic!("no chat: {other:?}"),
    })?;
    let listed = rejections.listed.into_iter();
    let named = listed.map(|it| (it.index, it.reason.as_str(), it.field));
    Ok((messages, named.collect()))
}

fn one(envelope: &Json) -> (Vec<String>, Named) {
    decode(&CloudEvent, envelope.to_string().as_bytes(), &context()).unwrap()
}

fn message(id: &str) -> Json {
    json!({
        "type": "chat", "event_id": "e", "message_id": id, "text": "hello",
        "sent_at": "2026-11-22T10:00:00Z",
    })
}

fn without_type(mut record: Json) -> Json {
    record.as_object_mut().unwrap().remove("type");
    record
}

fn envelope(event_type: &str, data: &Json) -> Json {
    json!({
        "specversion": "1.0", "id": "1", "source": "/app", "type": event_type, "data": data,
        "time": "2026-11-22T10:00:00Z", "datacontenttype": "application/json",
    })
}

#[test]
fn the_data_of_an_envelope_is_a_record() {
    let good = (vec!["m".to_owned()], vec![]);
    assert_eq!(one(&envelope("any.thing", &message("m"))), good);
    let typeless = without_type(message("m"));
    for event_type in ["chat", "com.example.chat", ".chat"] {
        assert_eq!(one(&envelope(event_type, &typeless)), good, "{event_type}");
        for none in [json!(null), json!("")] {
            let mut data = typeless.clone();
            data["type"] = none;
            assert_eq!(one(&envelope(event_type, &data)), good, "{data}");
        }
    }
    let mut encoded = envelope("com.example.chat", &json!(null));
    encoded["data_base64"] = json!(STANDARD.encode(typeless.to_string()));
    assert_eq!(one(&encoded), good);
    let pretty = format!("\n{:#}\n", envelope("chat", &message("m")));
    assert_eq!(decode(&CloudEvent, pretty.as_bytes(), &context()), Ok(good));
}

#[test]
fn the_type_of_a_record_with_a_long_id_is_given_too() {
    let mut data = without_type(message("m"));
    data["message_id"] = json!("NUMBER");
    let text = envelope("chat", &data).to_string();
    let text = text.replace("\"NUMBER\"", "123456789012345678901234567890");
    let good = vec!["123456789012345678901234567890".to_owned()];
    assert_eq!(
        decode(&CloudEvent, text.as_bytes(), &context()),
        Ok((good, vec![]))
    );
}

#[test]
fn a_wrong_envelope_is_a_rejected_record() {
    let with = |field: &str, value: Json| {
        let mut envelope = envelope("chat", &message("m"));
        envelope[field] = value;
        envelope
    };
    for (wrong, reason, field) in [
        (
            with("specversion", json!("0.3")),
            "UNSUPPORTED_VERSION",
            "specversion",
        ),
        (
            with("specversion", json!(null)),
            "MISSING_FIELD",
            "specversion",
        ),
        (with("specversion", json!(1)), "WRONG_TYPE", "specversion"),
        (with("data", json!(null)), "MISSING_FIELD", "data"),
        (
            envelope("com.example.dance", &without_type(message("m"))),
            "UNKNOWN_TYPE",
            "type",
        ),
        (
            envelope("chat", &json!({"event_id": "e"})),
            "MISSING_FIELD",
            "message_id",
        ),
    ] {
        let named = vec![(0, reason, Some(field.to_owned()))];
        assert_eq!(one(&wrong), (vec![], named), "{wrong}");
    }
    let mut base64 = with("data", json!(null));
    for (value, reason) in [(json!("~"), "WRONG_TYPE"), (json!(7), "WRONG_TYPE")] {
        base64["data_base64"] = value;
        let named = vec![(0, reason, Some("data_base64".to_owned()))];
        assert_eq!(one(&base64), (vec![], named), "{base64}");
    }
    for data in [json!("text"), json!([message("m")]), json!(7)] {
        let named = vec![(0, "NOT_AN_OBJECT", None)];
        assert_eq!(one(&envelope("chat", &data)), (vec![], named), "{data}");
    }
    let twice = envelope("chat", &message("m")).to_string();
    let twice = twice.replacen('{', r#"{"data":{},"#, 1);
    let read = decode(&CloudEvent, twice.as_bytes(), &context()).unwrap();
    assert_eq!(read, (vec![], vec![(0, "REPEATED_FIELD", None)]));
}

#[test]
fn a_batch_is_an_array_of_envelopes() {
    let batch = json!([
        envelope("chat", &message("m1")),
        7,
        envelope("chat", &json!({})),
        envelope("a.chat", &without_type(message("m2"))),
    ]);
    let text = batch.to_string();
    let read = decode(&CloudEventBatch, text.as_bytes(), &context()).unwrap();
    let named = vec![
        (1, "NOT_AN_OBJECT", None),
        (2, "MISSING_FIELD", Some("event_id".to_owned())),
    ];
    assert_eq!(read, (vec!["m1".to_owned(), "m2".to_owned()], named));
    let empty = decode(&CloudEventBatch, b"[]", &context()).unwrap();
    assert_eq!(empty, (vec![], vec![]));
    for end in 1..text.len() {
        let read = decode(&CloudEventBatch, &text.as_bytes()[..end], &context());
        assert!(matches!(read, Err(DecodeError::MalformedJson(_))), "{end}");
    }
}

#[test]
fn a_body_of_another_mode_is_refused() {
    let envelope = envelope("chat", &message("m")).to_string();
    let array = format!("[{envelope}]");
    let two = format!("{envelope}\n{envelope}");
    let bodies: [(&dyn Format, &str); 7] = [
        (&CloudEvent, &array),
        (&CloudEvent, &two),
        (&CloudEvent, "7"),
        (&CloudEventBatch, &envelope),
        (CLOUD_EVENT_DATA, &array),
        (CLOUD_EVENT_DATA, &two),
        (CLOUD_EVENT_DATA, &envelope[..20]),
    ];
    for (format, body) in bodies {
        let read = decode(format, body.as_bytes(), &context());
        assert!(
            matches!(read, Err(DecodeError::MalformedJson(_))),
            "{format:?} {body}"
        );
    }
}

#[test]
fn in_binary_mode_the_request_has_the_type() {
    let context = |event_type: Option<&str>| Context {
        given: GivenFields {
            cloud_event_type: event_type.map(str::to_owned),
            ..GivenFields::default()
        },
        ..context()
    };
    let good = (vec!["m".to_owned()], vec![]);
    let typeless = without_type(message("m")).to_string();
    let read = |body: &str, event_type| {
        decode(CLOUD_EVENT_DATA, body.as_bytes(), &context(event_type)).unwrap()
    };
    assert_eq!(read(&typeless, Some("com.example.chat")), good);
    assert_eq!(read(&message("m").to_string(), Some("any")), good);
    assert_eq!(read(&message("m").to_string(), None), good);
    let named = vec![(0, "MISSING_FIELD", Some("type".to_owned()))];
    assert_eq!(read(&typeless, None), (vec![], named));
}
