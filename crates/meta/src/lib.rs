//! The small data: organisations, tokens, people, events, the journal, heads, reports, report jobs and the
//! queue of jobs.
//!
//! It is in one SQL database, the only commit point of the product. No other crate uses SQL. Each
//! noun is a module below `meta`, with its statements and its transactions.

pub mod private;
mod quotas;
mod config;
mod error;
mod metrics;
mod database;
mod meta;

pub use config::Config;
pub use error::Error;
pub use meta::{
    Access, BulkFilter, BulkReportTask, Claim, ClaimedJob, Commit, Commits, CommittedRow, DayFile,
    DayMade, DirtyEvent, DirtyOrg, EmailAddress, EmailError, EntryDigest, EventFilter, EventOrder,
    EventPlace, EventSnapshot, Idempotency, Journal, JournalDepth, JournalRow, JournalWriter,
    KnownLake, LINK_LIFETIME_MS, ListedEvent, MAKE_BULK_REPORT, MAKE_REPORT, Meta, MovedHead,
    NewBulkReport, NewHead, NewHeads, NewPassword, Offer, Org, PASSWORD_CHARACTERS_MIN,
    PasswordProblem, PendingRows, Person, Published, ReportEnd, ReportFilter, ReportJobUpdate,
    ReportTask, Role, RoleError, SESSION_LIFETIME_MS, Scope, ScopeError, Scopes, Session,
    SessionOwner, Share, ShareRights, SigningKey, SigningKeys, Storage, TakenCommits, Token,
    TokenSecret, ViewerKeys, ViewerTokens, ZoneChange,
};
pub use metrics::Metrics;
pub use quotas::{Quota, Quotas};
