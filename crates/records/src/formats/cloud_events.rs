//! `CloudEvents` 1.0: an envelope around each record.
//!
//! Structured mode is one envelope, batch mode an array of them. In binary mode the envelope is in
//! headers, and the body is the record. The `type` of the envelope is the type of a record that has
//! none; its other attributes are not used.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::json::{decode_elements, ensure_object};
use crate::fields::{FieldError, shortened};
use crate::format::{DecodeError, Format, Sink};
use crate::reason::Reason;
use crate::record::{RECORD_BYTES_MAX, RecordError, without_bom};
use crate::repeated::repeated_field;
use crate::scan::{Parts, key_and_value};
use crate::value::{Element, Value, object};

/// The version that is understood.
const VERSION: &str = "1.0";

/// The most bytes of an envelope: twice the largest record, which in base64 is a third longer.
const ENVELOPE_BYTES_MAX: usize = 2 * RECORD_BYTES_MAX;

/// Structured mode: one envelope.
#[derive(Debug)]
pub(crate) struct CloudEvent;

impl Format for CloudEvent {
    fn media_type(&self) -> &'static str {
        "application/cloudevents+json"
    }

    fn description(&self) -> &'static str {
        "a CloudEvent"
    }

    fn decode(&self, body: &[u8], sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        ensure_object(body)?;
        decode_envelope(body, 0, sink)
    }
}

/// Batch mode: an array of envelopes.
#[derive(Debug)]
pub(crate) struct CloudEventBatch;

impl Format for CloudEventBatch {
    fn media_type(&self) -> &'static str {
        "application/cloudevents-batch+json"
    }

    fn description(&self) -> &'static str {
        "an array of CloudEvents"
    }

    fn decode(&self, body: &[u8], sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        let elements = Parts::of_array(body);
        let elements = elements.ok_or(DecodeError::MalformedJson("a batch is an array"))?;
        decode_elements(elements, |element, index| {
            decode_envelope(element, index, sink)
        })
    }
}

/// Binary mode: the body is the record, and the request gives its type.
#[derive(Debug)]
pub(crate) struct CloudEventData;

impl Format for CloudEventData {
    fn media_type(&self) -> &'static str {
        "application/json"
    }

    fn description(&self) -> &'static str {
        "the record of a CloudEvent whose other attributes are headers"
    }

    fn decode(&self, body: &[u8], sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        ensure_object(body)?;
        let event_type = sink.context().given.cloud_event_type.as_deref();
        sink.record_of_type(body, event_type.map(record_type), 0)
    }
}

object! {
    /// The attributes of an envelope that are used.
    Attributes {
        version: Value<'a> = "specversion",
        event_type: Value<'a> = "type",
        data_base64: Value<'a> = "data_base64",
    }
}

fn decode_envelope(text: &[u8], index: usize, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
    match open(text) {
        Ok((data, record_type)) => sink.record_of_type(&data, record_type.as_deref(), index),
        Err(error) => sink.refuse(error, index),
    }
}

/// The data of an envelope, and the type that it gives to a record without one.
fn open(text: &[u8]) -> Result<(Cow<'_, [u8]>, Option<String>), RecordError<'_>> {
    let envelope = without_bom(text).trim_ascii();
    if envelope.len() > ENVELOPE_BYTES_MAX {
        return Err(RecordError::TooLarge(envelope.len()));
    }
    let utf8 = str::from_utf8(envelope).map_err(|_| RecordError::Malformed(envelope, None))?;
    let malformed = |error| RecordError::Malformed(envelope, Some(error));
    let attributes = match serde_json::from_str(utf8).map_err(malformed)? {
        Element::Object(attributes) => attributes,
        Element::Other(is) => return Err(RecordError::NotAnObject(is)),
    };
    if let Some(path) = repeated_field(utf8) {
        return Err(RecordError::Repeated(path));
    }
    ensure_version(&attributes).map_err(RecordError::Field)?;
    let record_type = match &attributes.event_type {
        Value::Text(name) => Some(record_type(name).to_owned()),
        _ => None,
    };
    let data = data(envelope, &attributes).map_err(RecordError::Field)?;
    Ok((data, record_type))
}

/// The type of the record in an event of this type: the last part of its name, as `playback` of
/// `com.example.playback`.
fn record_type(event_type: &str) -> &str {
    event_type.rsplit('.').next().unwrap_or(event_type)
}

fn ensure_version(attributes: &Attributes<'_>) -> Result<(), FieldError> {
    const FIELD: &str = "specversion";
    match &attributes.version {
        Value::Text(version) if version == VERSION => Ok(()),
        Value::Text(version) => Err(FieldError::new(
            Reason::UnsupportedVersion,
            FIELD,
            format!("is {}; it must be \"{VERSION}\"", shortened(version)),
        )),
        Value::Absent => Err(FieldError::missing(FIELD, "\"1.0\"")),
        other => Err(FieldError::wrong_type(FIELD, other.kind(), "\"1.0\"")),
    }
}

/// The field with the encoded record, where there is no `data`.
const DATA_BASE64: &str = "data_base64";

/// The text of the record: the member `data`, or what `data_base64` encodes.
fn data<'a>(envelope: &'a [u8], attributes: &Attributes<'_>) -> Result<Cow<'a, [u8]>, FieldError> {
    let mut members = Parts::of_object(envelope).into_iter().flatten();
    let data = members.find_map(|member| match key_and_value(member)? {
        (b"data", data) if data != b"null" => Some(data),
        _ => None,
    });
    if let Some(data) = data {
        return Ok(Cow::Borrowed(data));
    }
    match &attributes.data_base64 {
        Value::Text(text) => {
            let decoded = STANDARD.decode(text.as_bytes()).map_err(|_| {
                let problem = "is no base64; send the record as a JSON object in `data`";
                FieldError::new(Reason::WrongType, DATA_BASE64, problem)
            })?;
            Ok(Cow::Owned(decoded))
        }
        Value::Absent => Err(FieldError::missing("data", "the record as a JSON object")),
        other => Err(FieldError::wrong_type(
            DATA_BASE64,
            other.kind(),
            "a string",
        )),
    }
}

#[cfg(test)]
mod tests;
