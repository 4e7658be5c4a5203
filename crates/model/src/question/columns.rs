//! The columns of answers that are no report.

use crate::column::{Column, boolean, integer, number, seconds, text, time};

/// A row is a bucket of time.
pub const AUDIENCE: &[Column] = &[
    time("at", "start of the bucket"),
    integer(
        "peak_viewers",
        "the most viewers at any instant of the bucket",
    ),
    number(
        "average_viewers",
        "viewers in the average of the bucket: seconds attended by its length",
    ),
    integer("joined", "viewers that began to watch in the bucket"),
    integer(
        "left",
        "viewers that watched for the last time in the bucket, or paused",
    ),
    integer("messages", "messages that were not deleted"),
    integer("votes", "votes that count"),
];

/// A row is a value of the attribute.
pub const BREAKDOWN: &[Column] = &[
    text("value", "value of the attribute; empty where unknown"),
    integer("views", "distinct views with any time inside the filter"),
    integer("viewers", "distinct viewers of these views"),
    seconds("watch_seconds", "seconds played, summed over views"),
    seconds(
        "attended_seconds",
        "seconds played, summed over viewers: two views of one viewer at once count once",
    ),
];

/// A row is an option of a poll.
pub const POLLS: &[Column] = &[
    text("poll_id", "the poll"),
    text("question", "the poll's question"),
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
    text("option_id", "the option"),
    text("option_text", "the option's text"),
    boolean("correct", "whether the option is a right answer"),
    integer("votes", "votes for the option that count"),
    integer(
        "voters",
        "voters of the poll with a vote that counts; the same in each row of the poll",
    ),
    number("share", "votes by voters, 0 to 1; empty without voters"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Dimension;

    #[test]
    fn an_option_has_the_columns_of_the_report_and_its_share() {
        let (share, report) = POLLS.split_last().expect("columns");
        assert_eq!(share.name, "share");
        let names = |columns: &[Column]| -> Vec<&str> {
            columns.iter().map(|column| column.name).collect()
        };
        assert_eq!(names(report), names(&Dimension::PollSummaries.columns(&[])));
    }
}
