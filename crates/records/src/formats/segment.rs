//! Segment's calls: a batch of them, or one. A `track` call of its video events becomes a beat; all
//! other calls are ignored.

use super::json::{decode_elements, ensure_object};
use crate::format::{DecodeError, Format, Sink};
use crate::record::{RECORD_BYTES_MAX, RecordError};
use crate::repeated::repeated_field;
use crate::scan::{Parts, key_and_value};
use crate::value::{Element, Fields, Value, object};

/// A batch of calls, or one call.
#[derive(Debug)]
pub(crate) struct Segment;

impl Format for Segment {
    fn media_type(&self) -> &'static str {
        "application/json"
    }

    fn description(&self) -> &'static str {
        "calls of Segment's API"
    }

    fn decode(&self, body: &[u8], sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        ensure_object(body)?;
        match member(body, b"batch") {
            None => decode_call(body.trim_ascii(), 0, sink),
            Some(batch) => {
                let calls = Parts::of_array(batch);
                let calls = calls.ok_or(DecodeError::MalformedJson("`batch` is no array"))?;
                decode_elements(calls, |call, index| decode_call(call, index, sink))
            }
        }
    }
}

/// The `writeKey` of a body, which is the token where no header has one.
pub fn segment_write_key(body: &[u8]) -> Option<String> {
    serde_json::from_slice(member(body, b"writeKey")?).ok()
}

/// The value of a member of the object that the text is.
fn member<'a>(object: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut members = Parts::of_object(object)?;
    members.find_map(|member| {
        let (key, value) = key_and_value(member)?;
        (key == name).then_some(value)
    })
}

object! {
    /// The fields of a call that are used.
    Call {
        method: Value<'a> = "type",
        event: Value<'a> = "event",
        user_id: Value<'a> = "userId",
        anonymous_id: Value<'a> = "anonymousId",
        timestamp: Value<'a> = "timestamp",
        properties: Option<Element<Properties<'a>>> = "properties",
        context: Option<Element<CallContext<'a>>> = "context",
    }
}

object! {
    Properties {
        session: Value<'a> = "session_id",
        content_asset: Value<'a> = "content_asset_id",
        asset: Value<'a> = "asset_id",
    }
}

object! {
    CallContext {
        ip: Value<'a> = "ip",
        user_agent: Value<'a> = "userAgent",
    }
}

fn decode_call(text: &[u8], index: usize, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
    if text.len() > RECORD_BYTES_MAX {
        return sink.refuse(RecordError::TooLarge(text.len()), index);
    }
    match beat(text) {
        Ok(Some(beat)) => sink.fields(beat, index),
        Ok(None) => sink.ignore(),
        Err(error) => sink.refuse(error, index),
    }
}

/// The beat that a call states; `None` if the call is not about playing.
fn beat(text: &[u8]) -> Result<Option<Fields<'_>>, RecordError<'_>> {
    let utf8 = str::from_utf8(text).map_err(|_| RecordError::Malformed(text, None))?;
    let malformed = |error| RecordError::Malformed(text, Some(error));
    let call: Call<'_> = match serde_json::from_str(utf8).map_err(malformed)? {
        Element::Object(call) => call,
        Element::Other(is) => return Err(RecordError::NotAnObject(is)),
    };
    // Before the event is read: of an event that is given twice only one would count.
    if let Some(path) = repeated_field(utf8) {
        return Err(RecordError::Repeated(path));
    }
    let Some(is_playing) = call.is_playing() else {
        return Ok(None);
    };
    let properties = of_object(call.properties);
    let context = of_object(call.context);
    // Events about content have `asset_id`, those about playback `content_asset_id`.
    let event_id = if properties.content_asset.is_empty() {
        properties.asset
    } else {
        properties.content_asset
    };
    Ok(Some(Fields {
        record_type: Value::Text("beat".into()),
        event_id,
        playback_id: properties.session,
        at: call.timestamp,
        playing: Value::Bool(is_playing),
        customer_id: call.user_id,
        device_id: call.anonymous_id,
        ip: context.ip,
        user_agent: context.user_agent,
        ..Fields::default()
    }))
}

/// The fields of an object, all absent if there is none.
fn of_object<T: Default>(element: Option<Element<T>>) -> T {
    match element {
        Some(Element::Object(object)) => object,
        _ => T::default(),
    }
}

impl Call<'_> {
    /// Whether the player plays after the call's event; `None` if the event does not say it.
    fn is_playing(&self) -> Option<bool> {
        // Calls of `/v1/track` need not say that they are one.
        let is_track = match &self.method {
            Value::Absent => true,
            Value::Text(method) => method == "track",
            _ => false,
        };
        let Value::Text(event) = &self.event else {
            return None;
        };
        match event.strip_prefix("Video ").unwrap_or(event) {
            _ if !is_track => None,
            "Playback Started"
            | "Playback Resumed"
            | "Playback Buffer Completed"
            | "Playback Seek Completed"
            | "Content Started"
            | "Content Playing" => Some(true),
            "Playback Paused"
            | "Playback Buffer Started"
            | "Playback Seek Started"
            | "Playback Interrupted"
            | "Playback Completed"
            | "Playback Exited" => Some(false),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
