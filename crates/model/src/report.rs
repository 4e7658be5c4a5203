//! Event reports: what can be ordered, the columns, and what was made.

mod columns;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::buckets::Granularity;
use crate::facts::Table;
use crate::ids::{EventId, OrgId, ReportId};
use crate::ratio::Ratio;
use crate::record::{EventKind, named};
use crate::span::{Span, Window};
use crate::time::{Timestamp, Zone};

pub use columns::{DAILY_WATCH_TIME, GroupedColumns};

/// The most rows of a report: three years in buckets of a second. Rows are streamed, so this bounds
/// disk and time, not memory.
pub const ROWS_MAX: u64 = 100_000_000;

named! {
    /// The kind of an event report.
    Dimension {
        /// What each person did.
        Attendance = "attendance",
        /// Messages.
        ChatHistories = "chat_histories",
        /// Votes by poll and option.
        PollSummaries = "poll_summaries",
        /// Single votes.
        PollVotes = "poll_votes",
        /// How many views and viewers have played each part of the content.
        Retention = "retention",
        /// Views and their time.
        WatchTime = "watch_time",
    }
}

impl Dimension {
    /// The width of buckets where an order has none.
    pub fn granularity_default(self) -> Granularity {
        match self {
            Self::Retention => Granularity::TEN_SECONDS,
            _ => Granularity::default(),
        }
    }
}

named! {
    /// A field that rows of a report are grouped by.
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
    /// The format of a report's file.
    Format {
        /// RFC 4180, UTF-8.
        Csv = "csv",
        /// One JSON object a line.
        Ndjson = "ndjson",
        /// Apache Parquet.
        Parquet = "parquet",
        /// Office Open XML, for spreadsheets.
        Xlsx = "xlsx",
    }
}

impl Format {
    /// The media type of the file.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Ndjson => "application/x-ndjson",
            Self::Parquet => "application/vnd.apache.parquet",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        }
    }
}

/// An order for an event report. All fields are checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportOrder {
    pub org: OrgId,
    pub event: EventId,
    pub dimension: Dimension,
    /// In the order of the columns, without repetition.
    pub group_by: Vec<GroupBy>,
    pub window: Window,
    /// The width of buckets of time, or of the content.
    pub granularity: Granularity,
    /// The least `live_ratio` of a row of attendance.
    pub minimum_live_ratio: Option<Ratio>,
    pub format: Format,
}

impl ReportOrder {
    /// The most time buckets that one group can have rows for, in an event that was watched within
    /// this span. Only watch time by `watch_timestamp` can have more than one row for a fact.
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
    /// The status of an event report.
    ReportStatus {
        /// Waiting or being made.
        Running = "running",
        /// The file was published.
        Succeeded = "succeeded",
        /// The report has a [`ReportFailure`].
        Failed = "failed",
    }
}

/// The head of each table. A table without an entry is empty.
pub type Heads = BTreeMap<Table, u64>;

/// An event. All but the id is `None` until a record of type `event` has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub id: EventId,
    pub kind: Option<EventKind>,
    pub title: Option<String>,
    /// The start of the event's window.
    pub starts_at: Option<Timestamp>,
    /// The end of the event's window.
    pub ends_at: Option<Timestamp>,
    /// The length of the content.
    pub duration_ms: Option<i64>,
    /// The time of the record.
    pub updated_at: Option<Timestamp>,
}

impl Event {
    /// The window of the event; `None` unless it has both ends, in this order.
    pub fn window(&self) -> Option<Window> {
        let (start, end) = (self.starts_at?, self.ends_at?);
        (start < end).then_some(Window {
            start: Some(start),
            end: Some(end),
        })
    }

    /// The length of the window of the event in milliseconds.
    pub fn window_millis(&self) -> Option<i64> {
        let Window { start, end } = self.window()?;
        Some(end?.as_millis() - start?.as_millis())
    }
}

named! {
    /// How far an event is.
    EventState {
        /// It starts later.
        Upcoming = "upcoming",
        /// It is a live event, or one without a kind, that has begun and not ended: its end is
        /// later or, without an end, a fact of it is younger than [`QUIET_MS_MAX`].
        Live = "live",
        /// Neither.
        Ended = "ended",
    }
}

/// How long a live event without an end is live after its newest fact.
pub const QUIET_MS_MAX: i64 = 30 * 60 * 1_000;

/// The input of an event report. It is chosen once, so a later attempt gives the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pins {
    pub heads: Heads,
    /// The organisation's zone, for buckets of a day.
    pub zone: Zone,
    pub event: Event,
}

/// The file of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportFile {
    /// Without the header.
    pub row_count: u64,
    pub size_bytes: u64,
    /// Lower-case hexadecimal.
    pub sha256: String,
    /// The attempt that made the file; a part of its path.
    pub attempt: u32,
    /// The size of the exact text; `None` if the guard against formulas changed nothing.
    pub raw_size_bytes: Option<u64>,
}

impl ReportFile {
    /// The size of the file and its exact text.
    pub fn stored_bytes(&self) -> u64 {
        self.size_bytes + self.raw_size_bytes.unwrap_or(0)
    }
}

/// The reason of a failed report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportFailure {
    /// `UPPER_SNAKE_CASE`, at most 63 characters.
    pub reason: String,
    /// The cause and what would help.
    pub message: String,
}

/// An event report: its order, status and result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub id: ReportId,
    pub order: ReportOrder,
    pub status: ReportStatus,
    pub progress_percent: u8,
    pub created_at: Timestamp,
    /// When the report succeeded or failed.
    pub finished_at: Option<Timestamp>,
    /// When the file is deleted.
    pub expires_at: Option<Timestamp>,
    /// Set if the report succeeded.
    pub file: Option<ReportFile>,
    /// Set if the report failed.
    pub failure: Option<ReportFailure>,
}
