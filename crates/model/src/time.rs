//! Instants, clocks and zones. The only module that names the calendar crate.

mod report_day;
mod rfc3339;

use std::fmt;
use std::str::FromStr;
use std::time::Instant;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan, Unit};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use report_day::{NoDate, ReportDay};

/// An instant in whole milliseconds since 1970-01-01T00:00:00Z.
///
/// Always between [`Timestamp::MIN`] and [`Timestamp::MAX`], so that its text
/// has a four-digit year and texts sort as instants do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

/// Why a text or number is no instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// The text has another form.
    #[error(
        "is no RFC 3339 time with an offset, such as 2026-11-22T18:30:00.000Z or \
         2026-11-22T19:30:00+01:00"
    )]
    Form,
    /// The instant is before the year 2000.
    #[error("is before the year 2000; integers are milliseconds since 1970")]
    TooEarly,
    /// The instant is after the year 9999.
    #[error("is after the year 9999; integers are milliseconds since 1970")]
    TooLate,
}

impl Timestamp {
    /// 2000-01-01T00:00:00.000Z.
    pub const MIN: Self = Self(946_684_800_000);
    /// 9999-12-30T00:00:00.000Z, a day short of what the calendar crate can print in every zone.
    pub const MAX: Self = Self(253_402_128_000_000);

    /// From milliseconds since 1970.
    pub fn from_millis(millis: i64) -> Result<Self, TimeError> {
        if millis < Self::MIN.0 {
            Err(TimeError::TooEarly)
        } else if millis > Self::MAX.0 {
            Err(TimeError::TooLate)
        } else {
            Ok(Self(millis))
        }
    }

    /// Milliseconds since 1970.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This instant moved by `millis`, kept within [`Timestamp::MIN`] and [`Timestamp::MAX`].
    #[must_use]
    pub fn saturating_add_millis(self, millis: i64) -> Self {
        Self(
            self.0
                .saturating_add(millis)
                .clamp(Self::MIN.0, Self::MAX.0),
        )
    }

    /// Reads an RFC 3339 time of any year as the nearest instant that we know.
    ///
    /// A bound before all time or after it is one that bounds nothing.
    pub fn nearest(text: &str) -> Result<Self, TimeError> {
        match text.parse() {
            Err(TimeError::TooEarly) => Ok(Self::MIN),
            Err(TimeError::TooLate) => Ok(Self::MAX),
            read => read,
        }
    }

    /// RFC 3339 in UTC as protocol buffers print it: whole seconds without a
    /// fraction, others with six digits.
    pub fn to_proto(self) -> String {
        let millis = self.0.rem_euclid(1000);
        let text = self.to_string();
        let seconds = text.split('.').next().unwrap_or_default();
        match millis {
            0 => format!("{seconds}Z"),
            _ => format!("{seconds}.{millis:03}000Z"),
        }
    }

    /// Days since 1970-01-01 of this instant's UTC day.
    pub fn utc_day(self) -> i32 {
        i32::try_from(self.0 / MILLIS_PER_DAY).expect("at most 2,932,895, in the year 9999")
    }
}

/// Milliseconds of a UTC day.
pub const MILLIS_PER_DAY: i64 = 86_400_000;

impl FromStr for Timestamp {
    type Err = TimeError;

    /// Reads an RFC 3339 time with an offset, floored to whole milliseconds. A leap second is the
    /// last millisecond of its minute.
    fn from_str(text: &str) -> Result<Self, TimeError> {
        Self::from_millis(rfc3339::millis(text).ok_or(TimeError::Form)?)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with `Z` and always three decimals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = jiff::Timestamp::from_millisecond(self.0).map_err(|_| fmt::Error)?;
        write!(f, "{instant:.3}")
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_millis(i64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// Where "now" comes from. An argument, so that tests choose it.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The present instant.
    fn now(&self) -> Timestamp;

    /// The monotonic clock, by which a jump of the clock is noticed. Nothing, where there is none:
    /// then no jump is noticed.
    fn steady(&self) -> Option<Instant> {
        None
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let millis = jiff::Timestamp::now().as_millisecond();
        Timestamp(millis.clamp(Timestamp::MIN.0, Timestamp::MAX.0))
    }

    fn steady(&self) -> Option<Instant> {
        Some(Instant::now())
    }
}

/// A time zone of the IANA database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

/// A name that the time zone database does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no time zone of the IANA database, such as UTC or Asia/Taipei")]
pub struct UnknownZone(String);

impl Zone {
    /// Coordinated universal time.
    pub fn utc() -> Self {
        Self {
            name: "UTC".to_owned(),
            zone: TimeZone::UTC,
        }
    }

    /// The name it was given by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first instant of each date of this zone, ascending, so that every
    /// instant from `from` to `to` lies in or after the first of them.
    ///
    /// A date that the zone skips whole is absent.
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

    fn date(&self, at: Timestamp) -> Date {
        jiff::Timestamp::from_millisecond(at.0)
            .expect("a Timestamp is within the calendar's range")
            .to_zoned(self.zone.clone())
            .date()
    }

    fn first_instant(&self, date: Date) -> Option<Timestamp> {
        let start = date.to_zoned(self.zone.clone()).ok()?.start_of_day().ok()?;
        // In a zone that skips the whole date, its start belongs to the next one.
        if start.date() != date {
            return None;
        }
        let instant = start.timestamp().round(Unit::Millisecond).ok()?;
        Timestamp::from_millis(instant.as_millisecond()).ok()
    }
}

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(name: &str) -> Result<Self, UnknownZone> {
        if name == "UTC" {
            return Ok(Self::utc());
        }
        let zone = TimeZone::get(name).map_err(|_| UnknownZone(name.to_owned()))?;
        Ok(Self {
            name: name.to_owned(),
            zone,
        })
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name)
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// Reads a length of time as people type it, such as `90d`, `1h 30m` or `PT12H`, in milliseconds.
pub fn parse_duration_millis(text: &str) -> Option<i64> {
    let span: jiff::Span = text.parse().ok()?;
    let duration: SignedDuration = span
        .to_duration(jiff::SpanRelativeTo::days_are_24_hours())
        .ok()?;
    let millis = i64::try_from(duration.as_millis()).ok()?;
    (millis > 0).then_some(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect(text)
    }

    #[test]
    fn times_are_floored_to_milliseconds_and_printed_in_utc() {
        assert_eq!(
            at("2026-11-22T19:30:00.999999+01:00").to_string(),
            "2026-11-22T18:30:00.999Z"
        );
        assert_eq!(
            at("2026-11-22T18:30:00Z").to_string(),
            "2026-11-22T18:30:00.000Z"
        );
    }

    #[test]
    fn a_fraction_is_printed_where_there_is_one() {
        assert_eq!(
            at("2026-11-22T18:30:36Z").to_proto(),
            "2026-11-22T18:30:36Z"
        );
        let with_fraction = at("2026-11-22T18:30:46.014Z").to_proto();
        assert_eq!(with_fraction, "2026-11-22T18:30:46.014000Z");
        assert_eq!(with_fraction.parse(), Ok(at("2026-11-22T18:30:46.014Z")));
    }

    #[test]
    fn a_bound_outside_of_all_time_bounds_nothing() {
        assert_eq!(
            Timestamp::nearest("0001-01-01T00:00:00Z"),
            Ok(Timestamp::MIN)
        );
        assert_eq!(
            Timestamp::nearest("9999-12-31T23:59:59Z"),
            Ok(Timestamp::MAX)
        );
        assert_eq!(
            Timestamp::nearest("9999-12-31T23:59:59-23:59"),
            Ok(Timestamp::MAX)
        );
        assert_eq!(
            Timestamp::nearest("0000-01-01T00:00:00+23:59"),
            Ok(Timestamp::MIN)
        );
        assert_eq!(Timestamp::nearest("yesterday"), Err(TimeError::Form));
    }

    #[test]
    fn a_time_needs_an_offset() {
        for text in [
            "2026-11-22",
            "2026-11-22T18:30:00",
            "18:30",
            "",
            "20261122T183000Z",
        ] {
            assert_eq!(text.parse::<Timestamp>(), Err(TimeError::Form), "{text}");
        }
        assert_eq!(
            "1999-12-31T23:59:59Z".parse::<Timestamp>(),
            Err(TimeError::TooEarly)
        );
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
    fn a_date_that_the_zone_skips_has_no_day() {
        let zone: Zone = "Pacific/Apia".parse().expect("zone");
        let starts = zone.day_starts(at("2011-12-29T12:00:00Z"), at("2011-12-31T12:00:00Z"));
        let texts: Vec<String> = starts.iter().map(Timestamp::to_string).collect();
        // 29 December, then 31 December: the 30th never was.
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
    fn durations_read_as_people_type_them() {
        assert_eq!(parse_duration_millis("90d"), Some(90 * MILLIS_PER_DAY));
        assert_eq!(parse_duration_millis("1h 30m"), Some(5_400_000));
        assert_eq!(parse_duration_millis("-1h"), None);
        assert_eq!(parse_duration_millis("soon"), None);
    }
}
