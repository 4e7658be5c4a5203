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
        if let Some(elements) = Parts::of_array(body) {
            return decode_elements(elements, |element, index| sink.record(element, index));
        }
        if Parts::of_object(body).is_some() {
            ensure_object(body)?;
        } else if serde_json::from_slice::<IgnoredAny>(body).is_err() {
            return Err(DecodeError::MalformedJson("it is no JSON"));
        }
        // A number or a string is one record of a wrong type; the sink rejects it.
        sink.record(body.trim_ascii(), 0)
    }
}

/// Decodes each element of an array as it is found, so that the array is never in memory a second
/// time.
pub(super) fn decode_elements(
    mut elements: Parts<'_>,
    mut decode: impl FnMut(&[u8], usize) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    for (index, element) in elements.by_ref().enumerate() {
        decode(element, index)?;
    }
    match elements.end() {
        None => Err(DecodeError::MalformedJson("the array is cut short")),
        Some(rest) if rest.trim_ascii().is_empty() => Ok(()),
        Some(_) => Err(DecodeError::MalformedJson("something follows the array")),
    }
}

/// Refuses a body that is not one object from its beginning to its end. What is inside is not
/// parsed.
pub(super) fn ensure_object(body: &[u8]) -> Result<(), DecodeError> {
    let members = Parts::of_object(body);
    let members = members.ok_or(DecodeError::MalformedJson("it is no JSON object"))?;
    match members.end() {
        None => Err(DecodeError::MalformedJson("it is cut short")),
        Some(rest) if rest.trim_ascii().is_empty() => Ok(()),
        Some(_) => Err(DecodeError::MalformedJson(
            "something follows the object; send records a line each as application/x-ndjson, or \
             all in one array",
        )),
    }
}
