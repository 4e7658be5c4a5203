//! Enums on the wire: `PREFIX_NAME`, or a number that counts from 1 in the order of the names.

use serde_json::Value;
use showreport_model::record::EventKind;
use showreport_model::report::{Dimension, GroupBy, ReportStatus};

/// An enum of ours under the name that `BlendVision` gives its members.
pub(super) trait WireEnum: Copy + 'static {
    /// What every name begins with.
    const PREFIX: &'static str;
    /// Every member, in the order of their numbers from 1; 0 is "unspecified".
    const MEMBERS: &'static [Self];

    /// Our name of the member.
    fn plain_name(self) -> &'static str;

    /// The name on the wire.
    fn wire_name(self) -> String {
        format!("{}{}", Self::PREFIX, self.plain_name().to_ascii_uppercase())
    }

    /// The member of that name or number, or what is wrong with it.
    fn from_wire(value: &Value) -> Result<Self, String> {
        let member = match value {
            Value::String(name) => Self::MEMBERS
                .iter()
                .find(|member| member.wire_name() == *name),
            Value::Number(number) => number
                .as_u64()
                .and_then(|number| usize::try_from(number).ok()?.checked_sub(1))
                .and_then(|index| Self::MEMBERS.get(index)),
            _ => None,
        };
        member.copied().ok_or_else(|| {
            let names: Vec<String> = Self::MEMBERS.iter().map(|it| it.wire_name()).collect();
            format!("must be one of {}", names.join(", "))
        })
    }
}

macro_rules! wire_enum {
    ($name:ty, $prefix:literal) => {
        impl WireEnum for $name {
            const PREFIX: &'static str = $prefix;
            const MEMBERS: &'static [Self] = Self::ALL;

            fn plain_name(self) -> &'static str {
                self.name()
            }
        }
    };
}

wire_enum!(EventKind, "EVENT_TYPE_");
wire_enum!(Dimension, "REPORT_DIMENSION_");
wire_enum!(GroupBy, "GROUP_BY_FIELD_");
wire_enum!(ReportStatus, "EVENT_REPORT_STATUS_");

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_and_numbers_are_those_of_the_original() {
        let names = |members: &[String]| members.join(" ");
        let kinds: Vec<String> = EventKind::MEMBERS.iter().map(|it| it.wire_name()).collect();
        assert_eq!(
            names(&kinds),
            "EVENT_TYPE_LIVE EVENT_TYPE_VOD EVENT_TYPE_AOD"
        );
        let dimensions: Vec<String> = Dimension::MEMBERS.iter().map(|it| it.wire_name()).collect();
        assert_eq!(
            names(&dimensions),
            "REPORT_DIMENSION_CHAT_HISTORIES REPORT_DIMENSION_POLL_SUMMARIES \
             REPORT_DIMENSION_POLL_VOTES REPORT_DIMENSION_WATCH_TIME"
        );
        let fields: Vec<String> = GroupBy::MEMBERS.iter().map(|it| it.wire_name()).collect();
        assert_eq!(
            names(&fields),
            "GROUP_BY_FIELD_WATCH_TIMESTAMP GROUP_BY_FIELD_CUSTOMER_ID GROUP_BY_FIELD_DEVICE_ID \
             GROUP_BY_FIELD_DEVICE_OS GROUP_BY_FIELD_GEO_REGION"
        );
        let statuses: Vec<String> = ReportStatus::MEMBERS
            .iter()
            .map(|it| it.wire_name())
            .collect();
        assert_eq!(
            names(&statuses),
            "EVENT_REPORT_STATUS_RUNNING EVENT_REPORT_STATUS_SUCCEEDED EVENT_REPORT_STATUS_FAILED"
        );
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
