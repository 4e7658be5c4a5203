//! The columns of event reports: one table, by dimension, with type and meaning.

use super::{Dimension, GroupBy};
use crate::column::{Column, boolean, integer, number, seconds, text, time};

/// The columns of a grouped report: the group columns stand between `before` and `after`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupedColumns {
    pub before: &'static [Column],
    pub after: &'static [Column],
}

impl Dimension {
    /// What a row of a report without grouping stands for.
    pub const fn row(self) -> &'static str {
        match self {
            Self::Attendance => "person",
            Self::ChatHistories => "message",
            Self::PollSummaries => "poll option",
            Self::PollVotes => "chosen option of a vote",
            Self::Retention => "bucket of the content",
            Self::WatchTime => "view",
        }
    }

    /// The columns of a report, in the order of the file.
    pub fn columns(self, group_by: &[GroupBy]) -> Vec<Column> {
        let grouped = self.grouped_columns().filter(|_| !group_by.is_empty());
        let Some(GroupedColumns { before, after }) = grouped else {
            return self.row_columns().to_vec();
        };
        let group = group_by.iter().map(|field| field.column());
        let columns = before.iter().copied().chain(group);
        columns.chain(after.iter().copied()).collect()
    }

    /// The columns without grouping.
    pub const fn row_columns(self) -> &'static [Column] {
        match self {
            Self::Attendance => ATTENDANCE,
            Self::ChatHistories => CHAT_HISTORIES,
            Self::PollSummaries => POLL_SUMMARIES,
            Self::PollVotes => POLL_VOTES,
            Self::Retention => RETENTION,
            Self::WatchTime => WATCH_TIME,
        }
    }

    /// The columns around the group columns; `None` if the report cannot be grouped.
    pub const fn grouped_columns(self) -> Option<GroupedColumns> {
        Some(match self {
            Self::ChatHistories => GroupedColumns {
                before: &[],
                after: CHAT_FIGURES,
            },
            Self::PollSummaries => GroupedColumns {
                before: &[POLL_ID, QUESTION, OPTION_ID, OPTION_TEXT],
                after: &[VOTES, VOTERS],
            },
            Self::PollVotes => GroupedColumns {
                before: &[POLL_ID, OPTION_ID],
                after: &[VOTES],
            },
            Self::Attendance | Self::Retention => return None,
            Self::WatchTime => GroupedColumns {
                before: &[],
                after: WATCH_FIGURES,
            },
        })
    }
}

impl GroupBy {
    /// The column of a report that is grouped by this field.
    pub const fn column(self) -> Column {
        match self {
            Self::WatchTimestamp => {
                time(self.name(), "start of the time bucket that the row counts")
            }
            Self::CustomerId => text(self.name(), "the customer; empty where unknown"),
            Self::DeviceId => text(self.name(), "the device; empty where unknown"),
            Self::DeviceOs => DEVICE_OS,
            Self::GeoRegion => GEO_REGION,
        }
    }
}

const DEVICE_OS: Column = text(
    "device_os",
    "OS of the view, or of the sender's or voter's earliest view; empty where unknown",
);
const GEO_REGION: Column = text(
    "geo_region",
    "region by ISO 3166 code, of the same view; empty where unknown",
);
const POLL_ID: Column = text("poll_id", "the poll");
const QUESTION: Column = text("question", "the poll's question");
const OPTION_ID: Column = text("option_id", "the option");
const OPTION_TEXT: Column = text("option_text", "the option's text");
const VOTES: Column = integer("votes", "votes for the option that count");
const VOTERS: Column = integer(
    "voters",
    "voters of the poll with a vote that counts; the same in each row of the poll and group",
);

const ATTENDANCE: &[Column] = &[
    text("customer_id", "the person, where the customer is known"),
    text("device_id", "the person, where only the device is known"),
    text(
        "playback_id",
        "the person, where neither customer nor device is known",
    ),
    text(
        "name",
        "display name: the first one by bytes of all views, messages and votes",
    ),
    time(
        "first_joined_at",
        "first instant watched, inside the filter; empty without any",
    ),
    time(
        "last_left_at",
        "last instant watched, inside the filter; empty without any",
    ),
    integer("views", "distinct views with any time inside the filter"),
    integer("devices", "distinct devices of these views"),
    seconds(
        "attended_seconds",
        "seconds watched; what two views watch at once counts once",
    ),
    seconds(
        "live_seconds",
        "seconds watched inside the event's window; empty if the event has none",
    ),
    number(
        "live_ratio",
        "live_seconds by the length of the window, 0 to 1; empty without a window",
    ),
    integer("messages", "messages that were not deleted"),
    integer("polls_answered", "polls with a vote that counts"),
];

const WATCH_TIME: &[Column] = &[
    time(
        "started_at",
        "first instant at which the view was playing, inside the filter",
    ),
    time(
        "ended_at",
        "last instant at which the view was playing, inside the filter",
    ),
    text("playback_id", "the view: one playback on one device"),
    text("customer_id", "customer of the view; empty where unknown"),
    text("device_id", "device of the view; empty where unknown"),
    DEVICE_OS,
    GEO_REGION,
    seconds(
        "watch_seconds",
        "seconds in which the view was playing, without pauses and stalls",
    ),
];

const WATCH_FIGURES: &[Column] = &[
    integer("views", "distinct views with any time inside the filter"),
    integer(
        "viewers",
        "distinct viewers: customers; where unknown devices; where unknown views",
    ),
    integer("devices", "distinct devices"),
    seconds("watch_seconds", "seconds played, summed over views"),
    seconds(
        "attended_seconds",
        "seconds played, summed over viewers: two views of one viewer at once count once",
    ),
];

const CHAT_HISTORIES: &[Column] = &[
    time("sent_at", "when the message was sent"),
    text("message_id", "the message"),
    text("customer_id", "customer of the sender; empty where unknown"),
    text("device_id", "device of the sender; empty where unknown"),
    text("name", "display name of the sender"),
    text("role", "role of the sender: viewer, guest or admin"),
    text("text", "text of the latest version of the message"),
    boolean(
        "deleted",
        "whether the message was deleted; deleted messages are counted in no figure",
    ),
    DEVICE_OS,
    GEO_REGION,
];

const CHAT_FIGURES: &[Column] = &[
    integer("messages", "messages that were not deleted"),
    integer(
        "senders",
        "distinct senders of these messages: customers; where unknown devices",
    ),
];

const POLL_SUMMARIES: &[Column] = &[
    POLL_ID,
    QUESTION,
    text(
        "choice",
        "how many options a voter may choose: single or multi",
    ),
    text(
        "status",
        "status of the poll: queued, active, closed or archived",
    ),
    time("started_at", "when the poll was opened"),
    time("ended_at", "when the poll was closed"),
    OPTION_ID,
    OPTION_TEXT,
    boolean("correct", "whether the option is a right answer"),
    VOTES,
    VOTERS,
];

const POLL_VOTES: &[Column] = &[
    POLL_ID,
    QUESTION,
    time("voted_at", "when the vote was cast"),
    text("customer_id", "customer of the voter; empty where unknown"),
    text("device_id", "device of the voter; empty where unknown"),
    text("name", "display name of the voter"),
    OPTION_ID,
    OPTION_TEXT,
    boolean(
        "counted",
        "whether the vote counts: the voter's latest vote that the poll allows",
    ),
    DEVICE_OS,
    GEO_REGION,
];

const RETENTION: &[Column] = &[
    seconds(
        "position_seconds",
        "where the bucket begins, in seconds from the beginning of the content",
    ),
    integer("views", "distinct views that have played any of the bucket"),
    integer("viewers", "distinct viewers with such a view"),
    number(
        "share",
        "viewers of the bucket by viewers of any of the content, 0 to 1; empty without any",
    ),
];

/// The columns of the daily watch-time file: the views that began on a day, by event and customer.
pub const DAILY_WATCH_TIME: &[Column] = &[
    text("title", "the event's title; empty where unknown"),
    text("content_id", "the event"),
    text("streaming_type", "live, vod or aod; empty where unknown"),
    text("created_time", "when the event's window begins, RFC 3339"),
    text("customer_id", "the customer; empty where unknown"),
    seconds("watch_time_seconds", "seconds played, summed over views"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_report_has_a_column_twice_or_without_a_meaning() {
        for dimension in Dimension::ALL {
            for group_by in [&[], GroupBy::ALL] {
                let columns = dimension.columns(group_by);
                let mut names: Vec<_> = columns.iter().map(|column| column.name).collect();
                names.sort_unstable();
                names.dedup();
                assert_eq!(names.len(), columns.len(), "{dimension}");
                for column in columns {
                    let plain = !column.meaning.is_empty() && !column.meaning.ends_with('.');
                    assert!(plain, "{dimension}: {}", column.name);
                }
            }
        }
    }

    #[test]
    fn group_columns_stand_in_the_order_asked() {
        let group_by = [GroupBy::DeviceOs, GroupBy::WatchTimestamp];
        let columns = Dimension::PollVotes.columns(&group_by);
        let names: Vec<_> = columns.iter().map(|column| column.name).collect();
        assert_eq!(
            names,
            [
                "poll_id",
                "option_id",
                "device_os",
                "watch_timestamp",
                "votes"
            ]
        );
    }
}
