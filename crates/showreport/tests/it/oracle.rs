//! Expected reports, computed slowly from the records as they were sent.
//!
//! Each sentence of the definitions is one piece of plain Rust over whole lists. No code of the
//! product is used, so an error of the product cannot also be an error of the oracle.

pub(crate) mod clock;
pub(crate) mod table;
pub(crate) mod beats;
pub(crate) mod facts;
pub(crate) mod group;
pub(crate) mod watch;
pub(crate) mod retention;
pub(crate) mod chat;
pub(crate) mod polls;
pub(crate) mod figures;
pub(crate) mod attendance;
pub(crate) mod answers;
pub(crate) mod live;

use serde_json::Value;

pub(crate) use clock::{rfc3339, seconds_text};
pub(crate) use facts::Facts;
pub(crate) use figures::Figures;
pub(crate) use group::Field;
pub(crate) use table::Table;

use jiff::tz::TimeZone;

/// The dimension of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dimension {
    WatchTime,
    ChatHistories,
    PollSummaries,
    PollVotes,
    Retention,
    Attendance,
}

impl Dimension {
    pub(crate) const ALL: [Self; 6] = [
        Self::WatchTime,
        Self::ChatHistories,
        Self::PollSummaries,
        Self::PollVotes,
        Self::Retention,
        Self::Attendance,
    ];

    /// Those that can be grouped.
    pub(crate) const GROUPABLE: [Self; 4] = [
        Self::WatchTime,
        Self::ChatHistories,
        Self::PollSummaries,
        Self::PollVotes,
    ];

    /// The name on the wire.
    pub(crate) const fn wire(self) -> &'static str {
        match self {
            Self::WatchTime => "REPORT_DIMENSION_WATCH_TIME",
            Self::ChatHistories => "REPORT_DIMENSION_CHAT_HISTORIES",
            Self::PollSummaries => "REPORT_DIMENSION_POLL_SUMMARIES",
            Self::PollVotes => "REPORT_DIMENSION_POLL_VOTES",
            Self::Retention => "REPORT_DIMENSION_RETENTION",
            Self::Attendance => "REPORT_DIMENSION_ATTENDANCE",
        }
    }
}

/// A report to make: all but the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReportSpec {
    pub(crate) dimension: Dimension,
    pub(crate) group_by: Vec<Field>,
    /// The first millisecond inside.
    pub(crate) start: Option<i64>,
    /// The first millisecond after.
    pub(crate) end: Option<i64>,
    pub(crate) granularity_seconds: i64,
    /// Of attendance, in ten-thousandths.
    pub(crate) minimum_live_ratio: Option<i64>,
}

impl ReportSpec {
    pub(crate) fn new(dimension: Dimension) -> Self {
        Self {
            dimension,
            group_by: Vec::new(),
            start: None,
            end: None,
            granularity_seconds: 60,
            minimum_live_ratio: None,
        }
    }

    pub(crate) fn by(mut self, fields: &[Field]) -> Self {
        self.group_by = fields.to_vec();
        self
    }

    /// Whether the instant lies inside the filter.
    fn holds(&self, at: i64) -> bool {
        self.start.is_none_or(|start| start <= at) && self.end.is_none_or(|end| at < end)
    }

    /// The part of a span inside the filter.
    fn clip(&self, (from, to): (i64, i64)) -> Option<(i64, i64)> {
        let from = self.start.map_or(from, |start| from.max(start));
        let to = self.end.map_or(to, |end| to.min(end));
        (from < to).then_some((from, to))
    }
}

/// The report of one event, from all records that its organisation has sent.
pub(crate) fn report(
    records: &[Value],
    event: &str,
    question: &ReportSpec,
    zone: &TimeZone,
) -> Table {
    let facts = Facts::of(records, event);
    let grouped = !question.group_by.is_empty();
    match (question.dimension, grouped) {
        (Dimension::WatchTime, false) => watch::views(&facts, question),
        (Dimension::WatchTime, true) => watch::grouped(&facts, question, zone),
        (Dimension::ChatHistories, false) => chat::messages(&facts, question),
        (Dimension::ChatHistories, true) => chat::grouped(&facts, question, zone),
        (Dimension::PollSummaries, false) => polls::summaries(&facts, question),
        (Dimension::PollSummaries, true) => polls::grouped_summaries(&facts, question, zone),
        (Dimension::PollVotes, false) => polls::votes(&facts, question),
        (Dimension::PollVotes, true) => polls::grouped_votes(&facts, question, zone),
        (Dimension::Retention, false) => retention::buckets(&facts, question),
        (Dimension::Attendance, false) => attendance::people(&facts, question),
        (Dimension::Retention | Dimension::Attendance, true) => panic!("it cannot be grouped"),
    }
}
