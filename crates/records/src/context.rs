//! What decoding needs beside the text of a record.

use showreport_model::Timestamp;

/// What is known of a request or a file beside the text of its records.
#[derive(Debug, Clone)]
pub struct Context {
    /// The server's clock, which bounds times.
    pub now: Timestamp,
}
