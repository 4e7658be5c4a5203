//! Time zones by their IANA names, and the first instants of their days.

use std::str::FromStr;

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{ToSpan, Unit};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Timestamp;

/// A time zone of the IANA database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

/// A name that the time zone database does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is no time zone of the IANA database{}", suggestion(.meant.as_deref()))]
pub struct UnknownZone {
    name: String,
    /// The name that differs only in case, if there is one.
    meant: Option<String>,
}

fn suggestion(meant: Option<&str>) -> String {
    match meant {
        Some(meant) => format!("; {meant} is"),
        None => ", such as UTC or Asia/Taipei".to_owned(),
    }
}

/// The database has this name for systems without a zone, so it is refused.
const NEVER_SET: &str = "Factory";

impl Zone {
    /// Coordinated universal time.
    pub fn utc() -> Self {
        Self {
            name: "UTC".to_owned(),
            zone: TimeZone::UTC,
        }
    }

    /// Every name of the IANA database but `Factory`, in any order.
    pub fn names() -> impl Iterator<Item = String> {
        let names = jiff::tz::db().available();
        let names = names.map(|name| name.as_str().to_owned());
        names.filter(|name| name != NEVER_SET)
    }

    /// The zone of a stored name.
    ///
    /// Earlier versions accepted other names too, such as `europe/berlin` or `Etc/Unknown`, so
    /// these are read.
    pub fn stored(name: &str) -> Result<Self, UnknownZone> {
        if name == "UTC" {
            return Ok(Self::utc());
        }
        let zone = TimeZone::get(name).map_err(|_| UnknownZone {
            name: name.to_owned(),
            meant: None,
        })?;
        Ok(Self {
            name: name.to_owned(),
            zone,
        })
    }

    /// The name that was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The local time of an instant, in milliseconds since 1970-01-01 00:00 local time.
    ///
    /// If clocks are set back, two instants have the same local time.
    pub fn wall_millis(&self, at: Timestamp) -> i64 {
        let instant = jiff::Timestamp::from_millisecond(at.0)
            .expect("a Timestamp is within the calendar's range");
        at.0 + i64::from(self.zone.to_offset(instant).seconds()) * 1_000
    }

    /// The first instant of each date of this zone, ascending. The first is not after `from`.
    ///
    /// A date that the zone skips is absent.
    pub fn day_starts(&self, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
        let first = self.date(from).saturating_sub(1.day());
        let last = self.date(to).saturating_add(1.day());
        let mut starts = Vec::new();
        let mut date = first;
        while date <= last {
            if let Some(start) = self.first_instant(date) {
                starts.push(start);
            }
            date = date.saturating_add(1.day());
        }
        starts.dedup();
        starts
    }

    /// The offset at a local time, or the two offsets around a change of the clocks.
    pub(super) fn offset_of(&self, time: DateTime) -> AmbiguousOffset {
        self.zone.to_ambiguous_timestamp(time).offset()
    }

    pub(super) fn date(&self, at: Timestamp) -> Date {
        jiff::Timestamp::from_millisecond(at.0)
            .expect("a Timestamp is within the calendar's range")
            .to_zoned(self.zone.clone())
            .date()
    }

    pub(super) fn first_instant(&self, date: Date) -> Option<Timestamp> {
        let start = date.to_zoned(self.zone.clone()).ok()?.start_of_day().ok()?;
        // If the zone skips the whole date, this is the start of the next date.
        if start.date() != date {
            return None;
        }
        let instant = start.timestamp().round(Unit::Millisecond).ok()?;
        Timestamp::from_millis(instant.as_millisecond()).ok()
    }
}

impl FromStr for Zone {
    type Err = UnknownZone;

    /// Reads a name of the IANA database. Other names that the calendar crate reads are refused.
    fn from_str(name: &str) -> Result<Self, UnknownZone> {
        let alike = Self::names().find(|known| known.eq_ignore_ascii_case(name));
        match alike {
            Some(known) if known == name => Self::stored(name),
            meant => Err(UnknownZone {
                name: name.to_owned(),
                meant,
            }),
        }
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name)
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::stored(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect(text)
    }

    #[test]
    fn a_day_is_23_or_25_hours_long_when_the_clocks_change() {
        let zone: Zone = "Europe/Berlin".parse().expect("zone");
        let starts = zone.day_starts(at("2026-10-25T00:00:00Z"), at("2026-10-25T12:00:00Z"));
        let hours: Vec<i64> = starts
            .windows(2)
            .map(|pair| (pair[1].as_millis() - pair[0].as_millis()) / 3_600_000)
            .collect();
        assert_eq!(hours, [24, 25]);
    }

    #[test]
    fn clocks_on_the_wall_follow_the_zone() {
        let shown = |zone: &str, instant: &str| {
            let zone: Zone = zone.parse().expect("zone");
            let wall = zone.wall_millis(at(instant));
            Timestamp::from_millis(wall).expect("in range").to_string()
        };
        assert_eq!(
            shown("UTC", "2026-11-22T18:30:00.123Z"),
            "2026-11-22T18:30:00.123Z"
        );
        assert_eq!(
            shown("Asia/Kathmandu", "2026-11-22T18:30:00Z"),
            "2026-11-23T00:15:00.000Z"
        );
        assert_eq!(
            shown("America/New_York", "2026-07-01T00:00:00Z"),
            "2026-06-30T20:00:00.000Z"
        );
        // The hour that occurs twice.
        for instant in ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"] {
            assert_eq!(shown("Europe/Berlin", instant), "2026-10-25T02:30:00.000Z");
        }
    }

    #[test]
    fn a_date_that_the_zone_skips_has_no_day() {
        let zone: Zone = "Pacific/Apia".parse().expect("zone");
        let starts = zone.day_starts(at("2011-12-29T12:00:00Z"), at("2011-12-31T12:00:00Z"));
        let texts: Vec<String> = starts.iter().map(Timestamp::to_string).collect();
        // 29 December, then 31 December: the zone skipped the 30th.
        assert!(
            texts.contains(&"2011-12-29T10:00:00.000Z".to_owned()),
            "{texts:?}"
        );
        assert!(
            texts.contains(&"2011-12-30T10:00:00.000Z".to_owned()),
            "{texts:?}"
        );
        assert!(starts.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn a_day_begins_with_the_first_instant_of_its_date() {
        // At 00:01 on 7 November 2010 the clocks of St. John's went back to 23:01.
        let zone: Zone = "America/St_Johns".parse().expect("zone");
        let starts = zone.day_starts(at("2010-11-07T01:00:00Z"), at("2010-11-07T12:00:00Z"));
        assert!(starts.contains(&at("2010-11-07T02:30:00Z")), "{starts:?}");
    }

    #[test]
    fn a_zone_is_named_as_the_iana_database_names_it() {
        let names: Vec<String> = Zone::names().collect();
        assert!(names.len() > 590, "{}", names.len());
        for name in &names {
            assert_eq!(name.parse::<Zone>().expect(name).name(), name);
        }
        // Links, single names, and offsets are names too.
        for name in [
            "UTC",
            "Etc/UTC",
            "GMT",
            "GMT+0",
            "Etc/GMT-14",
            "Asia/Calcutta",
            "US/Pacific",
            "EST5EDT",
            "America/Argentina/ComodRivadavia",
            "America/Port-au-Prince",
            "W-SU",
        ] {
            assert!(name.parse::<Zone>().is_ok(), "{name}");
        }
        for wrong in [
            "Etc/Unknown",
            "Factory",
            "",
            " ",
            "UTC ",
            "utc",
            "europe/berlin",
            "Z",
            "+08:00",
            "UTC+8",
            "posix/UTC",
            "right/UTC",
            "localtime",
            "posixrules",
            "EST5EDT,M3.2.0,M11.1.0",
            "PST",
            "CST",
            "Asia",
            "Asia/",
            "Asia/Hanoi",
            "../UTC",
            "/usr/share/zoneinfo/UTC",
            ":UTC",
            "UTC\0",
        ] {
            let refused = wrong.parse::<Zone>().expect_err(wrong);
            assert!(refused.to_string().contains("IANA"), "{refused}");
        }
        let refused = "europe/berlin".parse::<Zone>().expect_err("another case");
        assert!(
            refused.to_string().ends_with("; Europe/Berlin is"),
            "{refused}"
        );
    }

    #[test]
    fn zones_that_were_stored_before_are_still_read() {
        for name in ["europe/berlin", "Etc/Unknown", "Factory"] {
            let zone: Zone = serde_json::from_str(&format!("{name:?}")).expect(name);
            assert_eq!(zone.name(), name);
        }
        assert!(Zone::stored("Mars/Base").is_err());
    }
}
