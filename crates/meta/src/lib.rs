//! The small facts: organisations, tokens, events, the journal, heads, reports, standing
//! orders and the queue of jobs.
//!
//! Everything here lives in one SQL database, which is the only commit point
//! of the product. No other crate speaks SQL, and every statement stands once,
//! beside its noun.

pub mod private;
mod quotas;
mod config;
mod error;
mod metrics;
mod database;
mod clock;
mod orgs;
mod tokens;
mod signing;
mod dirty_events;
mod events;
mod totals;
mod journal;
mod heads;
mod queue;
mod reports;
mod report_jobs;
mod dirty_days;
mod bulk_reports;
mod day_files;
mod kept_files;
mod room;
mod meta;

pub use bulk_reports::{BulkFilter, DayMade, NewBulkReport};
pub use config::Config;
pub use day_files::DayFile;
pub use dirty_events::{DirtyEvent, DirtyOrg};
pub use error::Error;
pub use heads::{EntryDigest, KnownLake, NewHead, NewHeads};
pub use journal::{Journal, JournalDepth, JournalRow, JournalWriter, Waiting};
pub use meta::{BulkReportTask, Meta, Published};
pub use metrics::Metrics;
pub use orgs::Org;
pub use queue::{ClaimedJob, MAKE_BULK_REPORT, MAKE_REPORT, Offer};
pub use quotas::{Quota, Quotas};
pub use reports::{Idempotency, ReportTask};
pub use signing::{LINK_LIFETIME_MS, SigningKey, SigningKeys};
pub use tokens::{Access, Scope, ScopeError, Scopes, Token, TokenSecret};
