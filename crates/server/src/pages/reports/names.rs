//! Names of reports for people.

use showreport_model::Zone;
use showreport_model::report::{GroupBy, ReportOrder};

use crate::texts::{wall_time, words};

/// A name for people, such as `Watch time by time, region`.
pub(crate) fn name_of(order: &ReportOrder) -> String {
    let dimension = words(order.dimension.name());
    if let Some(ratio) = order.minimum_live_ratio {
        return format!("{dimension}, at least {} of the show", ratio.as_f64());
    }
    if order.group_by.is_empty() {
        return dimension;
    }
    let fields = order
        .group_by
        .iter()
        .map(|it: &GroupBy| group_text(*it).to_lowercase());
    format!("{dimension} by {}", fields.collect::<Vec<_>>().join(", "))
}

/// The filter of an order by the clocks of a zone; nothing if it has all.
pub(crate) fn window_of(order: &ReportOrder, zone: &Zone) -> Option<String> {
    let window = order.window;
    let time = |at| wall_time(at, zone);
    Some(match (window.start, window.end) {
        (None, None) => return None,
        (Some(start), None) => format!("from {}", time(start)),
        (None, Some(end)) => format!("until {}", time(end)),
        (Some(start), Some(end)) => format!("{} to {}", time(start), time(end)),
    })
}

/// The name of a group column for people.
pub(super) const fn group_text(field: GroupBy) -> &'static str {
    match field {
        GroupBy::WatchTimestamp => "Time",
        GroupBy::CustomerId => "Customer",
        GroupBy::DeviceId => "Device",
        GroupBy::DeviceOs => "Operating system",
        GroupBy::GeoRegion => "Region",
    }
}
