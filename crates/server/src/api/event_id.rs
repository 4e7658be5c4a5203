//! The id of an event in a path.

use showreport_model::EventId;

use crate::error::{ApiError, Reason};

/// The id of an event. A text that is no event id is treated as an unknown one.
pub(crate) fn event_id(text: &str) -> Result<EventId, ApiError> {
    EventId::new(text).map_err(|_| ApiError::new(Reason::EventNotFound, "there is no such event"))
}
