//! Calls as Segment's libraries send them.

use serde_json::{Value as Json, json};
use showreport_model::record::{BeatRecord, Record};
use showreport_origins::Origins;

use super::segment_write_key;
use crate::context::Context;
use crate::format::{DecodeError, decode_body};
use crate::formats::SEGMENT;
use crate::record::Decoded;

/// The reasons of rejections with their indexes.
type Named = Vec<(usize, &'static str)>;

/// The beats of a body, and what is rejected.
fn decode(body: &str) -> Result<(Vec<BeatRecord>, Named), DecodeError> {
    let now = "2026-11-22T12:00:00Z".parse().unwrap();
    let context = Context::new(now, Origins::open(None).unwrap());
    let mut beats = Vec::new();
    let rejections = decode_body(body.as_bytes(), SEGMENT, &context, |record| match record {
        Decoded::Record(Record::Beat(beat)) => beats.push(beat),
        other => panic!("no beat: {other:?}"),
    })?;
    let listed = rejections.listed.iter();
    let named = listed.map(|it| (it.index, it.reason.as_str())).collect();
    Ok((beats, named))
}

/// A call as `@segment/analytics-node` sends it.
fn track(event: &str) -> Json {
    json!({
        "timestamp": "2026-11-22T10:00:00.250Z", "integrations": {}, "event": event, "type": "track",
        "properties": {"session_id": "s", "content_asset_id": "e", "position": 1.5},
        "context": {"library": {"name": "@segment/analytics-node", "version": "3.1.0"}},
        "userId": "ada", "anonymousId": "phone", "messageId": "node-next-1",
        "_metadata": {"nodeVersion": "v20.20.2", "jsRuntime": "node"},
    })
}

fn batch(calls: &[Json]) -> String {
    json!({"batch": calls, "writeKey": "sr_x", "sentAt": "2026-11-22T10:00:01Z"}).to_string()
}

#[test]
fn a_call_about_playing_is_a_beat() {
    let (beats, named) = decode(&batch(&[track("Video Playback Started")])).unwrap();
    assert_eq!((beats.len(), named.len()), (1, 0));
    let beat = &beats[0];
    assert_eq!((beat.event.as_str(), beat.playback.as_str()), ("e", "s"));
    assert_eq!(beat.at, "2026-11-22T10:00:00.250Z".parse().unwrap());
    assert_eq!((beat.seq, beat.playing), (None, true));
    assert_eq!(
        beat.customer.as_ref().map(ToString::to_string),
        Some("ada".to_owned())
    );
    assert_eq!(
        beat.device.as_ref().map(ToString::to_string),
        Some("phone".to_owned())
    );
    // One call alone, with or without its type, is the same beat.
    let mut call = track("Playback Started");
    for _ in 0..2 {
        assert_eq!(decode(&call.to_string()), Ok((beats.clone(), vec![])));
        call.as_object_mut().unwrap().remove("type");
    }
}

#[test]
fn the_event_of_a_call_says_whether_the_player_plays() {
    let playing = [
        "Playback Started",
        "Playback Resumed",
        "Playback Buffer Completed",
        "Playback Seek Completed",
        "Content Started",
        "Content Playing",
    ];
    let not_playing = [
        "Playback Paused",
        "Playback Buffer Started",
        "Playback Seek Started",
        "Playback Interrupted",
        "Playback Completed",
        "Playback Exited",
    ];
    let all = playing.map(|event| (event, true));
    for (event, is_playing) in all
        .into_iter()
        .chain(not_playing.map(|event| (event, false)))
    {
        for name in [event.to_owned(), format!("Video {event}")] {
            let (beats, _) = decode(&batch(&[track(&name)])).unwrap();
            assert_eq!(beats.len(), 1, "{name}");
            assert_eq!(beats[0].playing, is_playing, "{name}");
        }
    }
}

#[test]
fn every_other_call_is_ignored() {
    let with = |field: &str, value: Json| {
        let mut call = track("Video Playback Started");
        call[field] = value;
        call
    };
    let calls = [
        json!({"type": "identify", "userId": "ada", "traits": {"name": "Ada"}}),
        json!({"type": "page", "name": "Playback Started", "properties": {}}),
        with("type", json!("screen")),
        with("type", json!(7)),
        track("Video Ad Started"),
        track("Video Quality Updated"),
        track("Order Completed"),
        with("event", json!(null)),
        with("event", json!({"name": "Video Playback Started"})),
    ];
    assert_eq!(decode(&batch(&calls)), Ok((vec![], vec![])));
    assert_eq!(decode("{}"), Ok((vec![], vec![])));
    assert_eq!(decode(&batch(&[])), Ok((vec![], vec![])));
}

#[test]
fn a_call_that_lacks_a_field_is_rejected_alone() {
    let without = |fields: &[&str]| {
        let mut call = track("Video Playback Started");
        let (last, path) = fields.split_last().unwrap();
        let object = path
            .iter()
            .fold(&mut call, |object, name| &mut object[*name]);
        object.as_object_mut().unwrap().remove(*last);
        call
    };
    let calls = [
        without(&["properties", "session_id"]),
        without(&["properties", "content_asset_id"]),
        without(&["properties"]),
        without(&["timestamp"]),
        json!("text"),
        without(&["userId"]),
    ];
    let (beats, named) = decode(&batch(&calls)).unwrap();
    let missing = "MISSING_FIELD";
    let expected = [
        (0, missing),
        (1, missing),
        (2, missing),
        (3, missing),
        (4, "NOT_AN_OBJECT"),
    ];
    assert_eq!(named, expected);
    assert_eq!(beats.len(), 1);
    assert_eq!(beats[0].customer, None);
    let twice =
        batch(&[track("Playback Paused")]).replacen("\"userId\"", "\"event\":\"\",\"userId\"", 1);
    assert_eq!(decode(&twice).unwrap().1, [(0, "REPEATED_FIELD")]);
}

#[test]
fn events_about_content_name_it_by_another_field() {
    let mut call = track("Video Content Playing");
    call["properties"] = json!({"session_id": "s", "asset_id": "e"});
    let (beats, _) = decode(&batch(&[call])).unwrap();
    assert_eq!(beats[0].event.as_str(), "e");
}

#[test]
fn a_body_that_is_no_object_is_refused() {
    let whole = batch(&[track("Playback Paused")]);
    let two = format!("{whole}{whole}");
    for body in [
        "[]",
        "7",
        "{",
        &whole[..whole.len() - 1],
        &two,
        r#"{"batch":{}}"#,
    ] {
        let read = decode(body);
        assert!(matches!(read, Err(DecodeError::MalformedJson(_))), "{body}");
    }
}

#[test]
fn the_write_key_of_a_body_is_found() {
    let key = |body: &str| segment_write_key(body.as_bytes());
    assert_eq!(key(&batch(&[])), Some("sr_x".to_owned()));
    assert_eq!(key(r#" {"batch":[{"writeKey":"no"}]}"#), None);
    for body in ["", "[]", r#"{"writeKey":7}"#, r#"{"writeKey":"cut"#, "{}"] {
        assert_eq!(key(body), None, "{body}");
    }
}
