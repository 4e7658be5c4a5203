//! What decoding needs beside the text of a record.

use std::sync::Arc;

use showreport_model::Timestamp;

use crate::viewer_tokens::Verifier;

/// What is known of a request or a file beside the text of its records.
#[derive(Debug, Clone)]
pub struct Context {
    /// The server's clock, which bounds times.
    pub now: Timestamp,
    /// What the request says once for all its records.
    pub given: GivenFields,
    /// Verifies the tokens that say who a viewer is.
    pub viewer_tokens: Arc<Verifier>,
}

impl Context {
    /// A context in which nothing but the time is known.
    pub fn new(now: Timestamp) -> Self {
        Self {
            now,
            given: GivenFields::default(),
            viewer_tokens: Arc::default(),
        }
    }
}

/// Fields that a request gives for all its records, in its address or its headers. Formats whose
/// records lack these fields use them.
#[derive(Debug, Clone, Default)]
pub struct GivenFields {
    /// The `type` of a `CloudEvent`, whose last part is the type of its record.
    pub cloud_event_type: Option<String>,
    pub event_id: Option<String>,
    pub customer_id: Option<String>,
    pub device_id: Option<String>,
    pub name: Option<String>,
}
