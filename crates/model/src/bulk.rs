//! Bulk reports: one file a day for all events of an organisation, of five types.
//!
//! The columns of each type stand here; plans, files and listings read them.

use serde::{Deserialize, Serialize};

use crate::column::{Column, ColumnType};
use crate::ids::{OrgId, ReportId, ReportJobId};
use crate::record::named;
use crate::report::ReportFile;
use crate::span::Window;
use crate::time::{ReportDay, Timestamp, Zone};

named! {
    /// The type of a bulk report. A new version is a new type.
    ReportType {
        /// Messages.
        ChatMessages = "event_chat_messages_a1",
        /// Views and their time, by customer.
        Customers = "event_customers_a1",
        /// Votes by poll and option.
        PollSummaries = "event_poll_summaries_a1",
        /// Single votes.
        PollVotes = "event_poll_votes_a1",
        /// Views and their time, by OS and region.
        WatchTime = "event_watch_time_a1",
    }
}

const DATE: Column = Column::new(
    "date",
    ColumnType::Date,
    "the day in the organisation's time zone",
);
const EVENT_ID: Column = Column::new("event_id", ColumnType::Text, "the event");
const EVENT_TYPE: Column = Column::new(
    "event_type",
    ColumnType::Text,
    "live, vod or aod; empty where unknown",
);
const CUSTOMER_ID: Column = Column::new(
    "customer_id",
    ColumnType::Text,
    "the customer; empty where unknown",
);
const DEVICE_ID: Column = Column::new(
    "device_id",
    ColumnType::Text,
    "the device; empty where unknown",
);
const POLL_ID: Column = Column::new("poll_id", ColumnType::Text, "the poll");
const OPTION_ID: Column = Column::new("option_id", ColumnType::Text, "the option of the poll");
const VIEWS: Column = Column::new(
    "views",
    ColumnType::Integer,
    "distinct views with any time inside the day",
);
const WATCH_TIME_MINUTES: Column = Column::new(
    "watch_time_minutes",
    ColumnType::Number,
    "minutes played, summed over views; times 60,000 it rounds to whole milliseconds",
);

const WATCH_TIME: &[Column] = &[
    DATE,
    EVENT_ID,
    EVENT_TYPE,
    Column::new(
        "device_os",
        ColumnType::Text,
        "operating system of the view; empty where unknown",
    ),
    Column::new(
        "geo_region",
        ColumnType::Text,
        "region of the view by ISO 3166 code; empty where unknown",
    ),
    VIEWS,
    Column::new(
        "viewers",
        ColumnType::Integer,
        "distinct viewers: customers; where unknown devices; where unknown views",
    ),
    WATCH_TIME_MINUTES,
    Column::new(
        "average_view_duration_seconds",
        ColumnType::Number,
        "seconds played, divided by the number of views",
    ),
];

const CUSTOMERS: &[Column] = &[
    DATE,
    EVENT_ID,
    EVENT_TYPE,
    CUSTOMER_ID,
    VIEWS,
    WATCH_TIME_MINUTES,
    Column::new(
        "attended_minutes",
        ColumnType::Number,
        "minutes played, summed over viewers: two views of one viewer at once count once",
    ),
];

const CHAT_MESSAGES: &[Column] = &[
    DATE,
    EVENT_ID,
    EVENT_TYPE,
    Column::new("message_id", ColumnType::Text, "the message"),
    Column::new("sent_at", ColumnType::Time, "when the message was sent"),
    CUSTOMER_ID,
    DEVICE_ID,
    Column::new("name", ColumnType::Text, "display name of the sender"),
    Column::new(
        "role",
        ColumnType::Text,
        "role of the sender: viewer, guest or admin",
    ),
    Column::new(
        "text",
        ColumnType::Text,
        "text of the latest version of the message",
    ),
    Column::new(
        "deleted",
        ColumnType::Boolean,
        "whether the message was deleted",
    ),
];

const POLL_SUMMARIES: &[Column] = &[
    DATE,
    EVENT_ID,
    EVENT_TYPE,
    POLL_ID,
    Column::new("question", ColumnType::Text, "the poll's question"),
    OPTION_ID,
    Column::new("option_text", ColumnType::Text, "the option's text"),
    Column::new(
        "votes",
        ColumnType::Integer,
        "votes for the option that count, cast inside the day",
    ),
    Column::new(
        "voters",
        ColumnType::Integer,
        "voters of the poll with a vote that counts, cast inside the day",
    ),
];

const POLL_VOTES: &[Column] = &[
    DATE,
    EVENT_ID,
    EVENT_TYPE,
    POLL_ID,
    OPTION_ID,
    CUSTOMER_ID,
    DEVICE_ID,
    Column::new("voted_at", ColumnType::Time, "when the vote was cast"),
    Column::new(
        "counted",
        ColumnType::Boolean,
        "whether the vote counts: the voter's latest vote that the poll allows",
    ),
];

impl ReportType {
    /// The name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::ChatMessages => "Event chat messages",
            Self::Customers => "Event customers",
            Self::PollSummaries => "Event poll summaries",
            Self::PollVotes => "Event poll votes",
            Self::WatchTime => "Event watch time",
        }
    }

    /// In the order of the file.
    pub const fn columns(self) -> &'static [Column] {
        match self {
            Self::ChatMessages => CHAT_MESSAGES,
            Self::Customers => CUSTOMERS,
            Self::PollSummaries => POLL_SUMMARIES,
            Self::PollVotes => POLL_VOTES,
            Self::WatchTime => WATCH_TIME,
        }
    }
}

/// A question for one day of one organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayOrder {
    pub org: OrgId,
    pub report_type: ReportType,
    /// In the organisation's zone.
    pub day: ReportDay,
    /// Start and end of the day.
    pub window: Window,
}

/// The instruction to make a report of one type every day. It covers
/// [`DAYS_BEFORE`] its creation, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportJob {
    pub id: ReportJobId,
    pub org: OrgId,
    pub report_type: ReportType,
    /// Chosen by the client.
    pub name: String,
    pub created_at: Timestamp,
    pub first_day: ReportDay,
    /// When one of its reports was last fetched; at first `created_at`.
    pub fetched_at: Timestamp,
    /// When it ends unless a report is fetched before. Set 30 days ahead.
    pub ends_at: Option<Timestamp>,
    /// Set if the job has ended. It makes no more reports.
    pub ended_at: Option<Timestamp>,
}

/// The number of a bulk report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BulkReportId(i64);

impl BulkReportId {
    /// The id with this number.
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number, as in the database.
    pub const fn number(self) -> i64 {
        self.0
    }
}

impl std::fmt::Display for BulkReportId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for BulkReportId {
    type Err = NoNumber;

    /// Accepts only what [`std::fmt::Display`] writes.
    fn from_str(text: &str) -> Result<Self, NoNumber> {
        let number = text.parse().map_err(|_| NoNumber)?;
        let id = Self(number);
        (id.to_string() == text).then_some(id).ok_or(NoNumber)
    }
}

/// The text is not the id of a bulk report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no number of a report")]
pub struct NoNumber;

/// One day of a report job, as a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkReport {
    /// Ascending by creation.
    pub id: BulkReportId,
    pub report_job: ReportJobId,
    pub day: ReportDay,
    /// The first instant of the day.
    pub starts_at: Timestamp,
    /// The first instant after the day.
    pub ends_at: Timestamp,
    /// Different for all reports of a report job.
    pub created_at: Timestamp,
    /// When the report is deleted.
    pub expires_at: Timestamp,
    /// The former report of the same day.
    pub supersedes: Option<BulkReportId>,
    /// A part of the file's path.
    pub file_id: ReportId,
    pub file: ReportFile,
    /// The name of the zone; `None` for reports that were made before it was stored.
    pub zone: Option<String>,
}

/// When days close: then their bulk reports are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayClosing {
    /// A day closes this long after its end. Facts that come later make it dirty.
    pub close_after_ms: i64,
    /// How long a report is kept, and how long after its end a dirty day is made again.
    pub retention_ms: i64,
}

impl DayClosing {
    /// When a day closes that ends at this instant.
    pub fn closes_at(self, day_ends_at: Timestamp) -> Timestamp {
        day_ends_at.saturating_add_millis(self.close_after_ms)
    }

    /// The first and the last day that are closed and kept at this instant.
    pub fn days(self, zone: &Zone, now: Timestamp) -> (ReportDay, ReportDay) {
        // The first open day is the one with this instant.
        let open = zone.day_of(now.saturating_add_millis(-self.close_after_ms));
        // A day is kept until `retention_ms` after its end.
        let oldest = zone.day_of(now.saturating_add_millis(-self.retention_ms));
        (oldest, open.plus(-1))
    }
}

/// A report job covers this many days before its creation.
pub const DAYS_BEFORE: i32 = 30;

/// A day of a report job that needs a new report, as the queue stores it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirtyDay {
    /// Stored as `order`, the name in earlier versions.
    #[serde(rename = "order")]
    pub report_job: ReportJobId,
    pub day: ReportDay,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect(text)
    }

    #[test]
    fn every_type_has_its_date_first_and_no_column_twice() {
        for &report_type in ReportType::ALL {
            let columns = report_type.columns();
            assert_eq!(columns[0], DATE);
            let mut names: Vec<&str> = columns.iter().map(|column| column.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), columns.len());
        }
    }

    #[test]
    fn a_day_closes_some_time_after_its_end() {
        let closing = DayClosing {
            close_after_ms: 3_600_000,
            retention_ms: 2 * 86_400_000,
        };
        let berlin: Zone = "Europe/Berlin".parse().expect("zone");
        let last = |now: &str| closing.days(&berlin, at(now)).1.to_string();
        // Midnight in Berlin is 22:00 UTC in summer, and 23:00 in winter.
        assert_eq!(last("2026-10-24T22:59:59.999Z"), "2026-10-23");
        assert_eq!(last("2026-10-24T23:00:00Z"), "2026-10-24");
        assert_eq!(last("2026-10-25T23:59:59.999Z"), "2026-10-24");
        assert_eq!(last("2026-10-26T00:00:00Z"), "2026-10-25");
        let (oldest, last) = closing.days(&berlin, at("2026-10-26T00:00:00Z"));
        assert_eq!(oldest.through(last).count(), 2);
    }

    #[test]
    fn an_id_is_parsed_only_as_it_is_written() {
        assert_eq!("17".parse(), Ok(BulkReportId::new(17)));
        for wrong in ["", "017", "+17", "1.7", "x", "99999999999999999999"] {
            assert_eq!(wrong.parse::<BulkReportId>(), Err(NoNumber), "{wrong}");
        }
    }
}
