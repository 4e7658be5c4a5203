//! Event reports: what can be ordered, the columns, and what was made.

mod columns;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::buckets::Granularity;
use crate::facts::Table;
use crate::ids::{EventId, OrgId, ReportId};
use crate::record::{EventKind, named};
use crate::span::{Span, Window};
use crate::time::{Timestamp, Zone};

pub use columns::{DAILY_WATCH_TIME, GroupedColumns};

/// The most rows of a report: three years of seconds. Rows are streamed, so that this is a bound on
/// the disk and on the time that a report takes.
pub const ROWS_MAX: u64 = 100_000_000;

named! {
    /// What a report is about.
    Dimension {
        /// What was said.
        ChatHistories = "chat_histories",
        /// How often each option of each poll was chosen.
        PollSummaries = "poll_summaries",
        /// Who chose what, and when.
        PollVotes = "poll_votes",
        /// Who watched for how long.
        WatchTime = "watch_time",
    }
}

named! {
    /// What rows of a report are gathered by.
    GroupBy {
        /// The bucket of time.
        WatchTimestamp = "watch_timestamp",
        /// The customer.
        CustomerId = "customer_id",
        /// The device.
        DeviceId = "device_id",
        /// The device's operating system.
        DeviceOs = "device_os",
        /// The region, by its ISO 3166 code.
        GeoRegion = "geo_region",
    }
}

named! {
    /// The form of a file.
    Format {
        /// RFC 4180, UTF-8.
        Csv = "csv",
        /// One JSON object a line.
        Ndjson = "ndjson",
        /// Apache Parquet.
        Parquet = "parquet",
        /// Office Open XML, as spreadsheets read it.
        Xlsx = "xlsx",
    }
}

impl Format {
    /// The media type of such a file.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Ndjson => "application/x-ndjson",
            Self::Parquet => "application/vnd.apache.parquet",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        }
    }
}

/// A question, checked: nothing in it can be malformed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportOrder {
    /// Whose event.
    pub org: OrgId,
    /// The event.
    pub event: EventId,
    /// What about.
    pub dimension: Dimension,
    /// Gathered by what, in this order; nothing twice.
    pub group_by: Vec<GroupBy>,
    /// From when until when.
    pub window: Window,
    /// How wide buckets of time are.
    pub granularity: Granularity,
    /// In which form.
    pub format: Format,
}

impl ReportOrder {
    /// How many buckets of time the rows can be about, of an event that was watched within this span.
    /// One if they are not gathered by time, or none is made of nothing: a message and a vote are
    /// in one bucket each.
    pub fn buckets_max(&self, watched: Span) -> u64 {
        let by_time = self.group_by.contains(&GroupBy::WatchTimestamp);
        if !by_time || self.dimension != Dimension::WatchTime {
            return 1;
        }
        let width = i64::from(self.granularity.seconds()) * 1_000;
        self.window.clip(watched).map_or(0, |span| {
            let (first, last) = (
                span.from().div_euclid(width),
                (span.to() - 1).div_euclid(width),
            );
            (last - first + 1).unsigned_abs()
        })
    }
}

named! {
    /// Where a report is in its life.
    ReportStatus {
        /// Waiting or being made.
        Running = "running",
        /// Its file is there.
        Succeeded = "succeeded",
        /// It could not be made; the reason is kept.
        Failed = "failed",
    }
}

/// The version of each table that counts. A table without an entry is empty.
pub type Heads = BTreeMap<Table, u64>;

/// What an event is, as the registry knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The event.
    pub id: EventId,
    /// Its kind; absent while only other records named the event.
    pub kind: Option<EventKind>,
    /// Its title; absent while only other records named the event.
    pub title: Option<String>,
    /// When its window begins.
    pub starts_at: Option<Timestamp>,
    /// When its window ends.
    pub ends_at: Option<Timestamp>,
    /// How long its content is, in milliseconds.
    pub duration_ms: Option<i64>,
    /// When its record was made.
    pub updated_at: Option<Timestamp>,
}

/// What a report is made from. Chosen once, so that a second attempt gives the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pins {
    /// The facts.
    pub heads: Heads,
    /// The organisation's zone, whose days bound buckets of a day.
    pub zone: Zone,
    /// The event.
    pub event: Event,
}

/// A finished file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportFile {
    /// Rows, the header not counted.
    pub row_count: u64,
    /// Bytes.
    pub size_bytes: u64,
    /// SHA-256 of the bytes, in lower-case hexadecimal.
    pub sha256: String,
    /// The attempt that made it, which is part of its path.
    pub attempt: u32,
    /// Bytes of the exact text, where the guard against formulas changed the file.
    pub raw_size_bytes: Option<u64>,
}

impl ReportFile {
    /// Bytes that are kept of it: the file and its exact text.
    pub fn stored_bytes(&self) -> u64 {
        self.size_bytes + self.raw_size_bytes.unwrap_or(0)
    }
}

/// Why a report could not be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportFailure {
    /// `UPPER_SNAKE_CASE`, at most 63 characters.
    pub reason: String,
    /// What happened and what would help.
    pub message: String,
}

/// A report: an order and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The report.
    pub id: ReportId,
    /// What was asked for.
    pub order: ReportOrder,
    /// Where it is in its life.
    pub status: ReportStatus,
    /// How far it is, of a hundred.
    pub progress_percent: u8,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it succeeded or failed.
    pub finished_at: Option<Timestamp>,
    /// When its file is deleted.
    pub expires_at: Option<Timestamp>,
    /// Its file, once it succeeded.
    pub file: Option<ReportFile>,
    /// Why it failed, if it did.
    pub failure: Option<ReportFailure>,
}
