//! Decodes and checks the bodies of requests for event reports.

use serde_json::Value;
use showreport_model::buckets::Granularity;
use showreport_model::ratio::{NoRatio, Ratio};
use showreport_model::record::EventKind;
use showreport_model::report::{Dimension, Event, Format, GroupBy, ReportOrder};
use showreport_model::{EventId, OrgId, ReportId, Timestamp, Window};

use super::enums::WireEnum;
use super::reader::Object;
use crate::error::ApiError;
use crate::extract::Violations;

/// A request for reports of one event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CreateReports {
    pub(super) event: EventId,
    kind: EventKind,
    entries: Vec<Entry>,
}

/// A report to make.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    dimension: Dimension,
    group_by: Vec<GroupBy>,
    window: Window,
    granularity: Granularity,
    minimum_live_ratio: Option<Ratio>,
    format: Format,
}

/// Reports in one request to create them.
const ENTRIES_MAX: usize = 50;
/// Reports in one batch-get request.
const IDS_MAX: usize = 100;

const CONDITIONS: [&str; 2] = [
    "dimension_with_conditions",
    "report_dimension_with_conditions",
];
const DIMENSIONS: [&str; 2] = ["dimensions", "report_dimensions"];

impl CreateReports {
    /// Decodes a body. The error names every wrong field.
    pub(crate) fn read(body: &[u8]) -> Result<Self, ApiError> {
        let mut value = Value::Null;
        let root = Object::root(body, &mut value)?;
        let mut violations = Violations::default();
        let event = read_event(&root, &mut violations);
        let kind = read_enum(&root, &["type", "event_type"], &mut violations);
        let entries = read_entries(&root, &mut violations);
        violations.into_result(event.zip(kind).map(|(event, kind)| Self {
            event,
            kind,
            entries,
        }))
    }

    /// The reports to make. Refused if the event is of another kind than the request says.
    pub(super) fn into_orders(
        self,
        org: &OrgId,
        event: &Event,
    ) -> Result<Vec<ReportOrder>, ApiError> {
        if let Some(kind) = event.kind
            && kind != self.kind
        {
            return Err(ApiError::violation(
                "type",
                format!(
                    "is {}, but the event is {}",
                    self.kind.wire_name(),
                    kind.wire_name()
                ),
            ));
        }
        let order = |entry: Entry| ReportOrder {
            org: org.clone(),
            event: event.id.clone(),
            dimension: entry.dimension,
            group_by: entry.group_by,
            window: entry.window,
            granularity: entry.granularity,
            minimum_live_ratio: entry.minimum_live_ratio,
            format: entry.format,
        };
        Ok(self.entries.into_iter().map(order).collect())
    }
}

/// Decodes the ids of a batch-get. A text that is no report id is an `Err` in the list, since it
/// is treated as the id of an unknown report.
pub(crate) fn read_ids(body: &[u8]) -> Result<Vec<Result<ReportId, String>>, ApiError> {
    let mut value = Value::Null;
    let root = Object::root(body, &mut value)?;
    let mut violations = Violations::default();
    let elements = root.list(&["reports"], &mut violations);
    if elements.is_empty() {
        let problem = format!("is missing or empty; it must have 1 to {IDS_MAX} entries");
        violations.add("reports", problem);
        return violations.into_result(None);
    }
    if elements.len() > IDS_MAX {
        let count = elements.len();
        let problem = format!("has {count} entries; it must have 1 to {IDS_MAX}");
        violations.add("reports", problem);
        return violations.into_result(None);
    }
    let ids = elements
        .iter()
        .enumerate()
        .filter_map(|(index, element)| {
            let path = format!("reports[{index}]");
            let entry = Object::from_value(element, path, &mut violations)?;
            let Some(text) = entry.text(&["id"], &mut violations) else {
                violations.add(entry.path("id"), "is missing; it must be a report's id");
                return None;
            };
            Some(text.parse().map_err(|_| text.to_owned()))
        })
        .collect();
    violations.into_result(Some(ids))
}

fn read_event(root: &Object<'_>, violations: &mut Violations) -> Option<EventId> {
    let id = match root.get(&["id", "event_id"], violations) {
        Some(Value::String(id)) => EventId::new(id.as_str()).map_err(|error| error.to_string()),
        Some(_) => Err("must be a string".to_owned()),
        None => Err("is missing; it must be the event's id".to_owned()),
    };
    id.map_err(|problem| violations.add("id", problem)).ok()
}

fn read_enum<E: WireEnum>(
    object: &Object<'_>,
    spellings: &[&str],
    violations: &mut Violations,
) -> Option<E> {
    // `null` and an absent field are "unspecified", which a required enum must not be.
    let value = object.get(spellings, violations).unwrap_or(&Value::Null);
    E::from_wire(value)
        .map_err(|problem| violations.add(object.path(spellings[0]), problem))
        .ok()
}

fn read_entries(root: &Object<'_>, violations: &mut Violations) -> Vec<Entry> {
    let conditions = root.list(&CONDITIONS, violations);
    // The deprecated list is used only if the new one is empty.
    let is_new = !conditions.is_empty();
    let (name, elements) = if is_new {
        (CONDITIONS[0], conditions)
    } else {
        (DIMENSIONS[0], root.list(&DIMENSIONS, violations))
    };
    // If it is no array, that is the violation already.
    if elements.is_empty() && !violations.contains(name) {
        violations.add(
            CONDITIONS[0],
            format!(
                "is missing or empty, and so is `{}`; one of them must have at least one entry",
                DIMENSIONS[0]
            ),
        );
    }
    if elements.len() > ENTRIES_MAX {
        violations.add(
            name,
            format!("has {} entries; it may have {ENTRIES_MAX}", elements.len()),
        );
        return Vec::new();
    }
    let read = if is_new {
        read_condition
    } else {
        read_dimension
    };
    elements
        .iter()
        .enumerate()
        .filter_map(|(index, element)| read(element, format!("{name}[{index}]"), violations))
        .collect()
}

fn read_dimension(value: &Value, path: String, violations: &mut Violations) -> Option<Entry> {
    let dimension = Dimension::from_wire(value)
        .map_err(|problem| violations.add(path, problem))
        .ok()?;
    Some(Entry {
        dimension,
        group_by: Vec::new(),
        window: Window::ALL,
        granularity: dimension.granularity_default(),
        minimum_live_ratio: None,
        format: Format::Csv,
    })
}

fn read_condition(value: &Value, path: String, violations: &mut Violations) -> Option<Entry> {
    let entry = Object::from_value(value, path, violations)?;
    let dimension: Option<Dimension> = read_enum(&entry, &["dimension"], violations);
    let group_by = read_group_by(&entry, violations);
    if let Some(dimension) = dimension
        && dimension.grouped_columns().is_none()
        && !group_by.is_empty()
    {
        let name = dimension.wire_name();
        let problem = format!("must be empty, since {name} cannot be grouped");
        violations.add(entry.path("group_by_fields"), problem);
    }
    let window = read_window(&entry, violations);
    let default = dimension.map(Dimension::granularity_default);
    let granularity = read_granularity(&entry, default.unwrap_or_default(), violations);
    let minimum_live_ratio = read_minimum(&entry, dimension, violations);
    let format = read_format(&entry, violations);
    Some(Entry {
        dimension: dimension?,
        group_by,
        window,
        granularity: granularity?,
        minimum_live_ratio,
        format: format?,
    })
}

fn read_group_by(entry: &Object<'_>, violations: &mut Violations) -> Vec<GroupBy> {
    let mut fields = Vec::new();
    let elements = entry.list(&["group_by_fields"], violations);
    for (index, element) in elements.iter().enumerate() {
        let path = format!("{}[{index}]", entry.path("group_by_fields"));
        match GroupBy::from_wire(element) {
            Ok(field) if fields.contains(&field) => {
                violations.add(path, format!("repeats {}", field.wire_name()));
            }
            Ok(field) => fields.push(field),
            Err(problem) => violations.add(path, problem),
        }
    }
    fields
}

fn read_window(entry: &Object<'_>, violations: &mut Violations) -> Window {
    let Some(filter) = entry
        .get(&["filter"], violations)
        .and_then(|value| Object::from_value(value, entry.path("filter"), violations))
    else {
        return Window::ALL;
    };
    let window = Window {
        start: read_time(&filter, "start_time", violations),
        end: read_time(&filter, "end_time", violations),
    };
    if !window.is_possible() {
        violations.add(
            filter.path("end_time"),
            "must be after start_time, which is inclusive, as end_time is exclusive",
        );
    }
    window
}

fn read_time(filter: &Object<'_>, name: &str, violations: &mut Violations) -> Option<Timestamp> {
    let text = filter.text(&[name], violations)?;
    // Clients write the year 1970 or 9999 for "everything". Moving such a bound to the nearest time
    // that facts can have excludes no fact.
    match Timestamp::nearest(text) {
        Ok(time) => Some(time),
        Err(error) => {
            violations.add(filter.path(name), error.to_string());
            None
        }
    }
}

fn read_granularity(
    entry: &Object<'_>,
    default: Granularity,
    violations: &mut Violations,
) -> Option<Granularity> {
    const NAME: &str = "granularity_seconds";
    let seconds = match entry.get(&[NAME], violations) {
        None => return Some(default),
        // The JSON format of protocol buffers allows integers as strings.
        Some(Value::String(text)) => text.parse().ok(),
        Some(value) => value.as_u64(),
    };
    let granularity = seconds
        .and_then(|seconds| u32::try_from(seconds).ok())
        .and_then(|seconds| Granularity::try_from(seconds).ok());
    if granularity.is_none() {
        let widths = Granularity::SECONDS.map(|seconds| seconds.to_string());
        violations.add(
            entry.path(NAME),
            format!("must be one of {}", widths.join(", ")),
        );
    }
    granularity
}

fn read_minimum(
    entry: &Object<'_>,
    dimension: Option<Dimension>,
    violations: &mut Violations,
) -> Option<Ratio> {
    const NAME: &str = "minimum_live_ratio";
    let value = entry.get(&[NAME], violations)?;
    if let Some(dimension) = dimension.filter(|it| *it != Dimension::Attendance) {
        let (name, attendance) = (dimension.wire_name(), Dimension::Attendance.wire_name());
        let problem = format!("must be absent, since it is of {attendance}, not of {name}");
        violations.add(entry.path(NAME), problem);
        return None;
    }
    // The JSON format of protocol buffers allows numbers as strings.
    let ratio = match value {
        Value::String(text) => text.parse(),
        value => value.as_f64().ok_or(NoRatio).and_then(Ratio::try_from),
    };
    ratio
        .map_err(|error| violations.add(entry.path(NAME), error.to_string()))
        .ok()
}

fn read_format(entry: &Object<'_>, violations: &mut Violations) -> Option<Format> {
    let Some(value) = entry.get(&["format"], violations) else {
        return Some(Format::Csv);
    };
    let format = match value.as_str() {
        Some("") => Some(Format::Csv),
        name => name.and_then(Format::from_name),
    };
    if format.is_none() {
        violations.add(
            entry.path("format"),
            format!("must be one of {}", Format::names()),
        );
    }
    format
}

#[cfg(test)]
mod tests;
