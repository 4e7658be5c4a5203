//! JSON: an array of records, or one record.

use serde::de::IgnoredAny;

use crate::format::{DecodeError, Format, Sink};
use crate::scan::Parts;

/// A JSON array of records, or one record as a JSON object.
#[derive(Debug)]
pub(crate) struct Json;

impl Format for Json {
    fn media_type(&self) -> &'static str {
        "application/json"
    }

    fn description(&self) -> &'static str {
        "an array of records, or one"
    }

    fn decode(&self, body: &[u8], sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        match Parts::of_array(body) {
            Some(elements) => decode_array(elements, sink),
            None => decode_object(body, sink),
        }
    }
}

/// Decodes each element as it is found, so that the array is never in memory a second time.
fn decode_array(mut elements: Parts<'_>, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
    for (index, element) in elements.by_ref().enumerate() {
        sink.record(element, index)?;
    }
    match elements.end() {
        None => Err(DecodeError::MalformedJson("the array is cut short")),
        Some(rest) if rest.trim_ascii().is_empty() => Ok(()),
        Some(_) => Err(DecodeError::MalformedJson("something follows the array")),
    }
}

fn decode_object(body: &[u8], sink: &mut Sink<'_>) -> Result<(), DecodeError> {
    match Parts::of_object(body).map(Parts::end) {
        Some(None) => return Err(DecodeError::MalformedJson("it is cut short")),
        Some(Some(rest)) if !rest.trim_ascii().is_empty() => {
            return Err(DecodeError::MalformedJson(
                "something follows the record; send records a line each as application/x-ndjson, \
                 or all in one array",
            ));
        }
        // A number or a string is one record of a wrong type; the sink rejects it.
        None if serde_json::from_slice::<IgnoredAny>(body).is_err() => {
            return Err(DecodeError::MalformedJson("it is no JSON"));
        }
        _ => {}
    }
    sink.record(body.trim_ascii(), 0)
}
