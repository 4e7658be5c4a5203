//! How pages show the cells of answers: as text, with the exact value beside it.

use showreport_model::Zone;
use showreport_model::column::{Column, ColumnType};
use showreport_model::table::Value;
use showreport_query::json_of_row;

use crate::texts;

/// A value that the API has too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Figure {
    /// Its name in JSON.
    pub(crate) name: &'static str,
    /// The value in JSON.
    pub(crate) value: String,
    /// As people read it.
    pub(crate) text: String,
}

/// Shown where a value is absent.
pub(crate) const ABSENT: &str = "–";

impl Figure {
    /// A cell of an answer. Times are those of the zone.
    pub(crate) fn new(column: &Column, value: &Value, zone: &Zone) -> Self {
        Self {
            name: column.name,
            value: json(column, value),
            text: shown(column, value, zone),
        }
    }

    /// A count.
    pub(crate) fn count(name: &'static str, count: u64) -> Self {
        Self {
            name,
            value: count.to_string(),
            text: texts::count(count),
        }
    }

    /// A text, or `null`.
    pub(crate) fn text(name: &'static str, text: Option<&str>) -> Self {
        Self {
            name,
            value: serde_json::Value::from(text).to_string(),
            text: text.unwrap_or(ABSENT).to_owned(),
        }
    }

    #[must_use]
    pub(crate) fn shown_as(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }
}

/// A value as the API writes it.
fn json(column: &Column, value: &Value) -> String {
    let object = json_of_row(std::slice::from_ref(column), std::slice::from_ref(value));
    let named = object.strip_prefix('{').and_then(|it| it.strip_suffix('}'));
    let value = named.and_then(|named| named.split_once(':'));
    value.map_or_else(String::new, |(_, value)| value.to_owned())
}

/// Numbers from 0 to 1, which are shown in percent.
fn is_share(name: &str) -> bool {
    matches!(name, "share" | "live_ratio" | "average_share_watched")
}

fn shown(column: &Column, value: &Value, zone: &Zone) -> String {
    match value {
        Value::Absent => ABSENT.to_owned(),
        Value::Text(text) => text.clone(),
        Value::Time(at) => texts::date_time(*at, zone),
        Value::Flag(true) => "yes".to_owned(),
        Value::Flag(false) => "no".to_owned(),
        Value::Count(count) => texts::count(*count),
        Value::Seconds(millis) if column.name == "position_seconds" => texts::position(*millis),
        Value::Seconds(millis) => texts::duration(*millis),
        Value::Number(share) if is_share(column.name) => texts::percent(*share),
        Value::Number(number) => texts::number(*number),
    }
}

/// Whether cells of the column are aligned to the right.
pub(crate) fn is_number(column: &Column) -> bool {
    matches!(
        column.kind,
        ColumnType::Integer | ColumnType::Number | ColumnType::Seconds
    )
}

/// The heading of a column.
pub(crate) fn label(name: &'static str) -> &'static str {
    match name {
        "at" => "Time",
        "attended_seconds" => "Time attended",
        "average_viewers" => "Average viewers",
        "counted" => "Counts",
        "customer_id" => "Customer",
        "device_id" => "Device",
        "device_os" => "System",
        "devices" => "Devices",
        "first_joined_at" => "First joined",
        "geo_region" => "Region",
        "joined" => "Joined",
        "last_left_at" => "Last left",
        "left" => "Left",
        "live_ratio" => "Share of the show",
        "live_seconds" => "Time in the show",
        "message_id" => "Message id",
        "messages" => "Messages",
        "name" => "Name",
        "option_text" => "Option",
        "peak_viewers" => "Peak viewers",
        "playback_id" => "Playback",
        "polls_answered" => "Polls answered",
        "position_seconds" => "Position",
        "role" => "Role",
        "sent_at" => "Sent",
        "share" => "Share",
        "text" => "Message",
        "viewers" => "Viewers",
        "views" => "Views",
        "voted_at" => "Voted",
        "voters" => "Voters",
        "votes" => "Votes",
        "watch_seconds" => "Watch time",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(name: &'static str, value: &Value) -> (String, String) {
        let column = Column::new(name, ColumnType::Number, "");
        let figure = Figure::new(&column, value, &Zone::utc());
        (figure.value, figure.text)
    }

    #[test]
    fn a_figure_has_its_exact_value_and_a_text() {
        let at = "2026-11-22T10:00:00.250Z".parse().unwrap();
        for (name, value, json, text) in [
            (
                "peak_at",
                Value::Time(at),
                "\"2026-11-22T10:00:00.250Z\"",
                "22 Nov 2026, 10:00:00",
            ),
            ("views", Value::Count(1_234), "1234", "1,234"),
            (
                "watch_seconds",
                Value::Seconds(61_005),
                "61.005",
                "1 min 1 s",
            ),
            ("position_seconds", Value::Seconds(61_005), "61.005", "1:01"),
            ("share", Value::Number(0.6666), "0.6666", "66.66 %"),
            ("average_viewers", Value::Number(1.5), "1.5", "1.5"),
            ("share", Value::Absent, "null", "–"),
            ("text", Value::Text("a\"b".to_owned()), "\"a\\\"b\"", "a\"b"),
        ] {
            assert_eq!(figure(name, &value), (json.to_owned(), text.to_owned()));
        }
    }
}
