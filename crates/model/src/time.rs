//! Instants, clocks and zones. No other module uses the calendar crate.

mod zone;
mod report_day;
mod rfc3339;
mod moment;

use std::fmt;
use std::str::FromStr;
use std::time::Instant;

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use moment::{Moment, NoMoment, NotOneInstant};
pub use report_day::{NoDate, NoSuchDay, ReportDay};
pub use zone::{UnknownZone, Zone};

/// An instant in whole milliseconds since 1970-01-01T00:00:00Z.
///
/// Always between [`Timestamp::MIN`] and [`Timestamp::MAX`], so its text has a year of four digits
/// and texts sort as instants do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

/// Why a text or number is not an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// The text is not RFC 3339.
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

    /// Reads an RFC 3339 time of any year as the nearest possible instant. For a filter that makes
    /// no difference: there are no facts beyond.
    pub fn nearest(text: &str) -> Result<Self, TimeError> {
        match text.parse() {
            Err(TimeError::TooEarly) => Ok(Self::MIN),
            Err(TimeError::TooLate) => Ok(Self::MAX),
            read => read,
        }
    }

    /// RFC 3339 in UTC as protocol buffers print it: without a fraction for whole seconds, else
    /// with six digits.
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

/// The source of the current time. Passed as an argument, so that tests can choose the time.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The current instant.
    fn now(&self) -> Timestamp;

    /// The monotonic clock, which shows jumps of the other. `None` if there is none: then jumps are
    /// not noticed.
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

/// Reads a duration such as `90d`, `1h 30m` or `PT12H`, in milliseconds.
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
    fn durations_read_as_people_type_them() {
        assert_eq!(parse_duration_millis("90d"), Some(90 * MILLIS_PER_DAY));
        assert_eq!(parse_duration_millis("1h 30m"), Some(5_400_000));
        assert_eq!(parse_duration_millis("-1h"), None);
        assert_eq!(parse_duration_millis("soon"), None);
    }
}
