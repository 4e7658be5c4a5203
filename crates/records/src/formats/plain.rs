//! Text of either format: what `navigator.sendBeacon` and clients without a media type send.

use serde::de::IgnoredAny;

use super::json::Json;
use super::ndjson::Ndjson;
use crate::depth::is_too_deep;
use crate::format::{DecodeError, Format, Sink};
use crate::scan::Parts;

/// JSON if the whole body is one JSON value, else NDJSON.
#[derive(Debug)]
pub(crate) struct Plain;

impl Format for Plain {
    fn media_type(&self) -> &'static str {
        "text/plain"
    }

    fn description(&self) -> &'static str {
        "either"
    }

    fn decode(&self, body: &[u8], sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        if is_one_value(body) {
            Json.decode(body, sink)
        } else {
            Ndjson.decode(body, sink)
        }
    }
}

/// Whether the body is one JSON value. An array is one even if its elements are malformed.
fn is_one_value(body: &[u8]) -> bool {
    match Parts::of_array(body) {
        Some(elements) => elements.are_all(),
        None => !is_too_deep(body) && serde_json::from_slice::<IgnoredAny>(body).is_ok(),
    }
}
