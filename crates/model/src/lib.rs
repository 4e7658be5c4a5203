//! The vocabulary of Showreport: ids, time, records, spans, facts, reports.
//!
//! Nothing here does I/O, is async, or contains SQL or a wire format, so every rule can be tested on
//! its own.

pub mod damage;
pub mod error;
pub mod ids;
pub mod time;
pub mod ratio;
pub mod span;
pub mod coverage;
pub mod claims;
pub mod beats;
pub mod buckets;
pub mod curve;
pub mod sweep;
pub mod audience;
pub mod concurrency;
pub mod retention;
pub mod record;
pub mod column;
pub mod table;
pub mod search;
pub mod facts;
pub mod report;
pub mod figures;
pub mod question;
pub mod bulk;

pub use damage::Damage;
pub use error::{ErrorChain, ErrorKind, Failure, is_storage_full};
pub use ids::{
    ClaimantId, CustomerId, DeviceId, EventId, IdError, JobId, MessageId, OptionId, OrgId,
    PersonId, PlaybackId, PollId, ReportId, ReportJobId, ShareId, TokenId, VoteId,
};
pub use span::{Span, SpanSet, Window};
pub use time::{Clock, ReportDay, SystemClock, Timestamp, Zone};
