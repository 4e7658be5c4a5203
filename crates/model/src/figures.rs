//! The figures of an event as a whole, within a filter.

use crate::column::{Column, integer, number, seconds, time};
use crate::sweep::Peak;
use crate::table::Value;
use crate::time::Timestamp;

/// The numbers that the figures of an event are made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Distinct playbacks.
    pub views: i64,
    /// Distinct viewers.
    pub viewers: i64,
    /// Distinct devices.
    pub devices: i64,
    /// Milliseconds watched, summed over views.
    pub watch_millis: i64,
    /// Milliseconds attended, summed over viewers.
    pub attended_millis: i64,
    /// The most viewers at one instant; `None` without viewers.
    pub peak: Option<Peak>,
    /// Milliseconds attended inside the window of the event.
    pub live_millis: i64,
    /// The length of the window of the event; 0 if it has none.
    pub window_millis: i64,
    /// Messages not deleted.
    pub messages: i64,
    /// Distinct senders of these messages.
    pub senders: i64,
    /// Votes that count, withdrawals left out.
    pub votes: i64,
    /// Distinct voters with such a vote.
    pub voters: i64,
    /// Milliseconds of content played, summed over views.
    pub content_millis: i64,
    /// Views that have played any of the content.
    pub covered_views: i64,
    /// The length of the content; 0 if it is unknown.
    pub content_length_millis: i64,
}

/// The figures by name, in the order of [`Figures::row`].
pub const FIGURES: &[Column] = &[
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
    seconds("average_watch_seconds", "watch_seconds by viewers"),
    seconds("average_view_seconds", "watch_seconds by views"),
    integer("peak_viewers", "the most viewers at one instant"),
    time("peak_at", "the first instant with that many viewers"),
    number(
        "average_minute_audience",
        "viewers in an average minute of the event's window; empty without a window",
    ),
    integer("messages", "messages that were not deleted"),
    integer(
        "senders",
        "distinct senders of these messages: customers; where unknown devices",
    ),
    integer("votes", "votes that count"),
    integer("voters", "distinct voters with a vote that counts"),
    seconds(
        "content_seconds",
        "seconds of the content that were played, summed over views; repetitions count once",
    ),
    number(
        "average_share_watched",
        "content_seconds by the length of the content and the views with any of it, 0 to 1",
    ),
];

impl Figures {
    /// The figures in the order of [`FIGURES`].
    pub fn row(&self) -> Vec<Value> {
        let peak_at = self
            .peak
            .and_then(|peak| Timestamp::from_millis(peak.at).ok());
        let content_in_all = self
            .content_length_millis
            .saturating_mul(self.covered_views);
        vec![
            Value::Count(self.views),
            Value::Count(self.viewers),
            Value::Count(self.devices),
            Value::Seconds(self.watch_millis),
            Value::Seconds(self.attended_millis),
            average_seconds(self.watch_millis, self.viewers),
            average_seconds(self.watch_millis, self.views),
            Value::Count(self.peak.map_or(0, |peak| peak.viewers)),
            peak_at.map_or(Value::Absent, Value::Time),
            // Attended minutes by minutes of the window.
            Value::quotient(self.live_millis, self.window_millis, 3),
            Value::Count(self.messages),
            Value::Count(self.senders),
            Value::Count(self.votes),
            Value::Count(self.voters),
            Value::Seconds(self.content_millis),
            Value::quotient(self.content_millis, content_in_all, 4),
        ]
    }

    /// The figure of this name.
    pub fn get(&self, name: &str) -> Option<Value> {
        let column = FIGURES.iter().position(|column| column.name == name)?;
        self.row().into_iter().nth(column)
    }
}

fn average_seconds(millis: i64, count: i64) -> Value {
    millis
        .checked_div(count)
        .map_or(Value::Absent, Value::Seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(figures: Figures) -> Vec<String> {
        let row = figures.row();
        assert_eq!(row.len(), FIGURES.len());
        row.iter().map(Value::to_string).collect()
    }

    #[test]
    fn averages_are_floored_and_shares_have_four_decimals() {
        let figures = Figures {
            views: 3,
            viewers: 2,
            devices: 1,
            watch_millis: 10_000,
            attended_millis: 9_000,
            peak: Some(Peak {
                viewers: 2,
                at: 1_795_341_600_000,
            }),
            live_millis: 4_000,
            window_millis: 3_000,
            messages: 5,
            senders: 4,
            votes: 7,
            voters: 6,
            content_millis: 2_000,
            covered_views: 3,
            content_length_millis: 1_000,
        };
        let expected = [
            "3",
            "2",
            "1",
            "10.000",
            "9.000",
            "5.000",
            "3.333",
            "2",
            "2026-11-22T10:00:00.000Z",
            "1.333",
            "5",
            "4",
            "7",
            "6",
            "2.000",
            "0.6666",
        ];
        assert_eq!(texts(figures), expected);
        assert_eq!(figures.get("voters"), Some(Value::Count(6)));
        assert_eq!(figures.get("loudness"), None);
    }

    #[test]
    fn without_facts_what_would_divide_by_0_is_absent() {
        let expected = [
            "0", "0", "0", "0.000", "0.000", "", "", "0", "", "", "0", "0", "0", "0", "0.000", "",
        ];
        assert_eq!(texts(Figures::default()), expected);
    }
}
