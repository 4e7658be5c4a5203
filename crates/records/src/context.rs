//! What decoding needs beside the text of a record.

use std::sync::Arc;

use showreport_model::Timestamp;
use showreport_origins::{Origin, Origins, Region, address};

use crate::viewer_tokens::Verifier;

/// What is known of a request or a file beside the text of its records.
#[derive(Debug, Clone)]
pub struct Context {
    /// The server's clock, which bounds times.
    pub now: Timestamp,
    /// What the request says once for all its records.
    pub given: GivenFields,
    /// Verifies viewer tokens.
    pub viewer_tokens: Arc<Verifier>,
    /// Looks up what records say of their players.
    pub origins: Origins,
    /// Where the request comes from, if it comes from the player itself. It counts for records that
    /// say nothing of theirs.
    pub origin: Origin,
}

impl Context {
    /// A context in which nothing is known of the request but the time.
    pub fn new(now: Timestamp, origins: Origins) -> Self {
        Self {
            now,
            given: GivenFields::default(),
            viewer_tokens: Arc::default(),
            origins,
            origin: Origin::default(),
        }
    }

    /// The system of a record without one, by its user agent if it has one.
    pub(crate) fn system(&self, user_agent: Option<&str>) -> Option<&'static str> {
        match user_agent {
            Some(user_agent) => self.origins.system(user_agent),
            None => self.origin.system,
        }
    }

    /// The region of a record without one, by its address if it has one. A text that is no address
    /// has no region: a record is not lost for it.
    pub(crate) fn region(&self, ip: Option<&str>) -> Option<Region> {
        match ip {
            Some(ip) => self.origins.region(address(ip)?),
            None => self.origin.region,
        }
    }
}

/// Fields that a request gives for all its records, in its address or its headers. Formats with
/// records that lack these fields use them.
#[derive(Debug, Clone, Default)]
pub struct GivenFields {
    /// The `type` of a `CloudEvent`. Its last part is the type of the record.
    pub cloud_event_type: Option<String>,
    pub event_id: Option<String>,
    pub customer_id: Option<String>,
    pub device_id: Option<String>,
    pub name: Option<String>,
}
