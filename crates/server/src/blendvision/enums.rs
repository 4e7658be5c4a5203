//! Enums on the wire: a value is written as `PREFIX_NAME`, and read by that name or by its number.
//!
//! Clients store both, so neither ever changes. The number 0 is "unspecified" in each enum and is
//! refused, since every field with an enum is required.

use serde_json::Value;
use showreport_model::record::EventKind;
use showreport_model::report::{Dimension, GroupBy, ReportStatus};

/// An enum of the model, under the names and numbers of `BlendVision`'s API.
pub(crate) trait WireEnum: Copy + 'static {
    /// What every name begins with.
    const PREFIX: &'static str;
    /// Every member.
    const MEMBERS: &'static [Self];

    /// The name in the model, in `snake_case`.
    fn plain_name(self) -> &'static str;

    /// The number on the wire.
    fn wire_number(self) -> u64;

    /// The name on the wire.
    fn wire_name(self) -> String {
        format!("{}{}", Self::PREFIX, self.plain_name().to_ascii_uppercase())
    }

    /// The member with that name or number, or a description of what would be right.
    fn from_wire(value: &Value) -> Result<Self, String> {
        let mut members = Self::MEMBERS.iter().copied();
        let member = match value {
            Value::String(name) => members.find(|member| member.wire_name() == *name),
            Value::Number(number) => {
                members.find(|member| number.as_u64() == Some(member.wire_number()))
            }
            _ => None,
        };
        member.ok_or_else(|| {
            let names: Vec<String> = Self::MEMBERS.iter().map(|it| it.wire_name()).collect();
            format!("must be one of {}", names.join(", "))
        })
    }
}

/// A member without a number does not compile.
macro_rules! wire_enum {
    ($name:ident, $prefix:literal, { $($member:ident = $number:literal),+ $(,)? }) => {
        impl WireEnum for $name {
            const PREFIX: &'static str = $prefix;
            const MEMBERS: &'static [Self] = Self::ALL;

            fn plain_name(self) -> &'static str {
                self.name()
            }

            fn wire_number(self) -> u64 {
                match self {
                    $(Self::$member => $number),+
                }
            }
        }
    };
}

wire_enum!(EventKind, "EVENT_TYPE_", {
    Live = 1,
    Vod = 2,
    Aod = 3,
});

wire_enum!(Dimension, "REPORT_DIMENSION_", {
    // Those above 100 are not in the original.
    Attendance = 101,
    ChatHistories = 1,
    PollSummaries = 2,
    PollVotes = 3,
    Retention = 102,
    WatchTime = 4,
});

wire_enum!(GroupBy, "GROUP_BY_FIELD_", {
    WatchTimestamp = 1,
    CustomerId = 2,
    DeviceId = 3,
    DeviceOs = 4,
    GeoRegion = 5,
});

wire_enum!(ReportStatus, "EVENT_REPORT_STATUS_", {
    Running = 1,
    Succeeded = 2,
    Failed = 3,
});

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use serde_json::json;

    use super::*;

    /// Compares all members with the list, and reads each of them by its name and its number.
    fn assert_members<E: WireEnum + Debug + PartialEq>(expected: &[(u64, &str)]) {
        let members = E::MEMBERS.iter();
        let members: Vec<_> = members
            .map(|it| (it.wire_number(), it.wire_name()))
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(n, name)| (*n, (*name).to_owned()))
            .collect();
        assert_eq!(members, expected);
        for member in E::MEMBERS {
            assert_eq!(E::from_wire(&json!(member.wire_number())), Ok(*member));
            assert_eq!(E::from_wire(&json!(member.wire_name())), Ok(*member));
        }
    }

    #[test]
    fn names_and_numbers_are_those_of_the_original_and_ours_begin_above_100() {
        assert_members::<EventKind>(&[
            (1, "EVENT_TYPE_LIVE"),
            (2, "EVENT_TYPE_VOD"),
            (3, "EVENT_TYPE_AOD"),
        ]);
        assert_members::<Dimension>(&[
            (101, "REPORT_DIMENSION_ATTENDANCE"),
            (1, "REPORT_DIMENSION_CHAT_HISTORIES"),
            (2, "REPORT_DIMENSION_POLL_SUMMARIES"),
            (3, "REPORT_DIMENSION_POLL_VOTES"),
            (102, "REPORT_DIMENSION_RETENTION"),
            (4, "REPORT_DIMENSION_WATCH_TIME"),
        ]);
        assert_members::<GroupBy>(&[
            (1, "GROUP_BY_FIELD_WATCH_TIMESTAMP"),
            (2, "GROUP_BY_FIELD_CUSTOMER_ID"),
            (3, "GROUP_BY_FIELD_DEVICE_ID"),
            (4, "GROUP_BY_FIELD_DEVICE_OS"),
            (5, "GROUP_BY_FIELD_GEO_REGION"),
        ]);
        assert_members::<ReportStatus>(&[
            (1, "EVENT_REPORT_STATUS_RUNNING"),
            (2, "EVENT_REPORT_STATUS_SUCCEEDED"),
            (3, "EVENT_REPORT_STATUS_FAILED"),
        ]);
    }

    #[test]
    fn a_member_is_read_by_name_or_number() {
        for value in [json!("REPORT_DIMENSION_WATCH_TIME"), json!(4)] {
            assert_eq!(Dimension::from_wire(&value), Ok(Dimension::WatchTime));
        }
        for value in [
            json!("REPORT_DIMENSION_UNSPECIFIED"),
            json!(0),
            json!(5),
            json!(-1),
            json!(1.5),
            json!("watch_time"),
            json!("EVENT_TYPE_LIVE_TO_VOD"),
            json!(["REPORT_DIMENSION_WATCH_TIME"]),
            json!(true),
        ] {
            assert!(Dimension::from_wire(&value).is_err(), "{value}");
        }
    }
}
