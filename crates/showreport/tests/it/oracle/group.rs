//! Group fields.

use super::ReportSpec;
use super::clock::{Buckets, rfc3339};
use super::facts::{Facts, View};

/// A field to group by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    WatchTimestamp,
    CustomerId,
    DeviceId,
    DeviceOs,
    GeoRegion,
}

impl Field {
    pub(crate) const ALL: [Self; 5] = [
        Self::WatchTimestamp,
        Self::CustomerId,
        Self::DeviceId,
        Self::DeviceOs,
        Self::GeoRegion,
    ];

    /// The name of the column.
    pub(crate) const fn column(self) -> &'static str {
        match self {
            Self::WatchTimestamp => "watch_timestamp",
            Self::CustomerId => "customer_id",
            Self::DeviceId => "device_id",
            Self::DeviceOs => "device_os",
            Self::GeoRegion => "geo_region",
        }
    }

    /// The name on the wire.
    pub(crate) const fn wire(self) -> &'static str {
        match self {
            Self::WatchTimestamp => "GROUP_BY_FIELD_WATCH_TIMESTAMP",
            Self::CustomerId => "GROUP_BY_FIELD_CUSTOMER_ID",
            Self::DeviceId => "GROUP_BY_FIELD_DEVICE_ID",
            Self::DeviceOs => "GROUP_BY_FIELD_DEVICE_OS",
            Self::GeoRegion => "GROUP_BY_FIELD_GEO_REGION",
        }
    }
}

/// The attributes of a viewer, sender or voter. Empty is absent.
pub(crate) struct Person<'a> {
    pub(crate) customer: &'a str,
    pub(crate) device: &'a str,
    pub(crate) os: &'a str,
    pub(crate) region: &'a str,
}

impl<'a> Person<'a> {
    pub(crate) fn of_view(view: &'a View) -> Self {
        Self {
            customer: &view.customer,
            device: &view.device,
            os: &view.os,
            region: &view.region,
        }
    }

    /// The sender of a message or a voter. OS and region are those of the earliest view of the same
    /// device, else of the same customer.
    pub(crate) fn of_words(facts: &'a Facts, customer: &'a str, device: &'a str) -> Self {
        let earliest = |same: &dyn Fn(&View) -> bool| {
            facts
                .views
                .values()
                .filter(|view| same(view))
                .min_by_key(|view| {
                    let first = view.spans.iter().map(|span| span.0).min();
                    // A view that was never playing comes after all others.
                    (first.is_none(), first, &view.playback)
                })
        };
        let view = earliest(&|view| !device.is_empty() && view.device == device)
            .or_else(|| earliest(&|view| !customer.is_empty() && view.customer == customer));
        Self {
            customer,
            device,
            os: view.map_or("", |view| &view.os),
            region: view.map_or("", |view| &view.region),
        }
    }

    /// The cells of the group columns for something that happened at an instant.
    pub(crate) fn group(
        &self,
        question: &ReportSpec,
        buckets: &mut Buckets<'_>,
        at: i64,
    ) -> Vec<String> {
        let cell = |field: &Field| match field {
            Field::WatchTimestamp => rfc3339(buckets.start(at)),
            Field::CustomerId => self.customer.to_owned(),
            Field::DeviceId => self.device.to_owned(),
            Field::DeviceOs => self.os.to_owned(),
            Field::GeoRegion => self.region.to_owned(),
        };
        question.group_by.iter().map(cell).collect()
    }
}

/// The names of the group columns, in their order.
pub(crate) fn columns(question: &ReportSpec) -> Vec<&'static str> {
    question
        .group_by
        .iter()
        .map(|field| field.column())
        .collect()
}
