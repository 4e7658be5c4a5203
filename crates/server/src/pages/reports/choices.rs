//! [`Choices`]: what is chosen in the form for a report, and the request of the API that it means.
//!
//! The form is checked by the API's own code, so both refuse the same things in the same words.

use serde_json::{Map, Value, json};
use showreport_model::record::EventKind;
use showreport_model::report::{Dimension, Event, Format, GroupBy, ReportOrder};
use showreport_model::time::Moment;
use showreport_model::{Timestamp, Zone};

use crate::blendvision::WireEnum;
use crate::error::Violation;
use crate::pages::address::encoded;
use crate::texts::wall_time;

/// The fields of the form, as texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Choices {
    pub(crate) event_id: String,
    /// The name of a [`Dimension`].
    pub(crate) dimension: String,
    /// The names of [`GroupBy`], in the order of the columns.
    pub(crate) group_by: Vec<String>,
    /// Empty: the default of the dimension.
    pub(crate) granularity_seconds: String,
    /// A date, a date and time of the organisation's zone, or RFC 3339; empty for no bound.
    pub(crate) from: String,
    pub(crate) to: String,
    /// The name of a [`Format`].
    pub(crate) format: String,
    /// Of attendance; empty: everybody.
    pub(crate) minimum_live_ratio: String,
}

/// The fields of a request, in their order; one may be there several times.
pub(crate) type Fields = Vec<(String, String)>;

impl Choices {
    pub(crate) fn read(fields: &Fields) -> Self {
        let text = |name: &str| {
            let value = fields.iter().find(|(field, _)| field == name);
            value.map_or_else(String::new, |(_, value)| value.trim().to_owned())
        };
        let or = |text: String, usual: &str| {
            if text.is_empty() {
                usual.to_owned()
            } else {
                text
            }
        };
        let group_by = fields.iter().filter(|(field, _)| field == "group_by");
        Self {
            event_id: text("event_id"),
            dimension: or(text("dimension"), Dimension::WatchTime.name()),
            group_by: group_by.map(|(_, value)| value.clone()).collect(),
            granularity_seconds: text("granularity_seconds"),
            from: text("from"),
            to: text("to"),
            format: or(text("format"), Format::Csv.name()),
            minimum_live_ratio: text("minimum_live_ratio"),
        }
    }

    /// The choices that lead to an order, with times of the zone.
    pub(crate) fn of_order(order: &ReportOrder, zone: &Zone) -> Self {
        let time =
            |at: Option<Timestamp>| at.map_or_else(String::new, |at| field_of_time(at, zone));
        Self {
            event_id: order.event.to_string(),
            dimension: order.dimension.name().to_owned(),
            group_by: order
                .group_by
                .iter()
                .map(|it| it.name().to_owned())
                .collect(),
            granularity_seconds: order.granularity.seconds().to_string(),
            from: time(order.window.start),
            to: time(order.window.end),
            format: order.format.name().to_owned(),
            minimum_live_ratio: order
                .minimum_live_ratio
                .map_or_else(String::new, |ratio| ratio.as_f64().to_string()),
        }
    }

    /// The body of the request that makes the report, and the times that cannot be read, which it
    /// lacks. Times without an offset are of the zone.
    pub(crate) fn to_body(&self, event: &Event, zone: &Zone) -> (Value, Vec<Violation>) {
        let mut violations = Vec::new();
        let mut filter = Map::new();
        for (field, name, text) in [
            ("from", "start_time", &self.from),
            ("to", "end_time", &self.to),
        ] {
            match instant(text, zone) {
                Ok(Some(at)) => {
                    filter.insert(name.to_owned(), at.into());
                }
                Ok(None) => {}
                Err(description) => violations.push(Violation {
                    field: field.to_owned(),
                    description,
                }),
            }
        }
        let dimension = Dimension::from_name(&self.dimension);
        let group_by = self
            .group_by
            .iter()
            .map(|name| GroupBy::from_name(name).map_or_else(|| name.clone(), GroupBy::wire_name));
        let mut entry = json!({
            "dimension": dimension.map_or_else(|| self.dimension.clone(), Dimension::wire_name),
            "group_by_fields": group_by.collect::<Vec<_>>(),
            "filter": if filter.is_empty() { Value::Null } else { filter.into() },
            "format": self.format,
        });
        for (name, text) in [
            ("granularity_seconds", &self.granularity_seconds),
            ("minimum_live_ratio", &self.minimum_live_ratio),
        ] {
            if !text.is_empty() {
                entry[name] = number(text);
            }
        }
        let kind = event.kind.unwrap_or(EventKind::Live);
        let body = json!({
            "id": event.id.as_str(),
            "type": kind.wire_name(),
            "dimension_with_conditions": [entry],
        });
        (body, violations)
    }

    /// The query of the address that has these choices.
    pub(crate) fn query(&self) -> String {
        let group_by = self.group_by.iter().map(|name| ("group_by", name));
        let fields = [
            ("event_id", &self.event_id),
            ("dimension", &self.dimension),
            ("granularity_seconds", &self.granularity_seconds),
            ("from", &self.from),
            ("to", &self.to),
            ("format", &self.format),
            ("minimum_live_ratio", &self.minimum_live_ratio),
        ];
        let fields = fields.into_iter().chain(group_by);
        let given = fields.filter(|(_, text)| !text.is_empty());
        let pairs = given.map(|(name, text)| format!("{name}={}", encoded(text)));
        pairs.collect::<Vec<_>>().join("&")
    }
}

/// The text of the form for an instant. A time that the zone has twice is written as RFC 3339.
fn field_of_time(at: Timestamp, zone: &Zone) -> String {
    let (wall, exact) = (wall_time(at, zone), at.to_string());
    match instant(&wall, zone) {
        Ok(Some(read)) if read == exact => wall,
        _ => exact,
    }
}

/// The instant of a text of the form, as RFC 3339; nothing if the text is empty.
fn instant(text: &str, zone: &Zone) -> Result<Option<String>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let moment: Moment = text.parse().map_err(|error| format!("{text:?} {error}"))?;
    let at = moment.in_zone(zone).map_err(|error| error.to_string())?;
    Ok(Some(at.to_string()))
}

/// A number as JSON. Another text stays one, and the API says what is wrong with it.
fn number(text: &str) -> Value {
    serde_json::from_str::<serde_json::Number>(text).map_or_else(|_| text.into(), Value::Number)
}

/// The field of the form that a field of the API's request stands for.
pub(super) fn field_of(name: &str) -> Option<&'static str> {
    const NAMES: [(&str, &str); 9] = [
        ("granularity_seconds", "granularity_seconds"),
        ("minimum_live_ratio", "minimum_live_ratio"),
        ("start_time", "from"),
        ("end_time", "to"),
        ("group_by_fields", "group_by"),
        ("format", "format"),
        ("].dimension", "dimension"),
        ("from", "from"),
        ("to", "to"),
    ];
    if matches!(name, "id" | "type") {
        return Some("event_id");
    }
    let found = NAMES.iter().find(|(part, _)| {
        // Elements of a list end with their number.
        name.ends_with(part) || name.contains(&format!("{part}["))
    });
    found.map(|(_, field)| *field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_the_form_is_read_as_the_same_instant() {
        let zone: Zone = "Europe/Berlin".parse().unwrap();
        for (at, text) in [
            ("2026-11-22T10:30:00.000Z", "2026-11-22 11:30:00"),
            ("2026-11-22T10:30:00.250Z", "2026-11-22 11:30:00.250"),
            // The clocks go back over it.
            ("2026-10-25T00:30:00.000Z", "2026-10-25T00:30:00.000Z"),
        ] {
            let shown = field_of_time(at.parse().unwrap(), &zone);
            assert_eq!(shown, text);
            assert_eq!(instant(&shown, &zone), Ok(Some(at.to_owned())));
        }
        assert_eq!(instant("", &zone), Ok(None));
        assert!(instant("soon", &zone).is_err());
    }

    #[test]
    fn choices_are_the_body_of_the_api_and_an_address() {
        let fields = [
            ("event_id", "a&b"),
            ("dimension", "attendance"),
            ("group_by", "geo_region"),
            ("group_by", "strange"),
            ("to", "2026-11-22"),
            ("minimum_live_ratio", "0.75"),
            ("granularity_seconds", "wide"),
        ];
        let fields = fields.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let choices = Choices::read(&fields.to_vec());
        let event = Event {
            id: showreport_model::EventId::new("a&b").unwrap(),
            kind: Some(EventKind::Vod),
            title: None,
            starts_at: None,
            ends_at: None,
            duration_ms: None,
            updated_at: None,
        };
        let (body, wrong) = choices.to_body(&event, &Zone::utc());
        assert_eq!(wrong, []);
        assert_eq!(
            body,
            json!({"id": "a&b", "type": "EVENT_TYPE_VOD", "dimension_with_conditions": [{
                "dimension": "REPORT_DIMENSION_ATTENDANCE",
                "group_by_fields": ["GROUP_BY_FIELD_GEO_REGION", "strange"],
                "filter": {"end_time": "2026-11-22T00:00:00.000Z"},
                "format": "csv", "minimum_live_ratio": 0.75, "granularity_seconds": "wide",
            }]})
        );
        assert_eq!(
            choices.query(),
            "event_id=a%26b&dimension=attendance&granularity_seconds=wide&to=2026-11-22\
             &format=csv&minimum_live_ratio=0.75&group_by=geo_region&group_by=strange"
        );
    }
}
