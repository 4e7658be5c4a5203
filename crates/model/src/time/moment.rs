//! Instants as command line arguments: those without an offset are local times of a zone.

use std::fmt;
use std::str::FromStr;

use jiff::civil::DateTime;
use jiff::tz::AmbiguousOffset;

use super::{ReportDay, Timestamp, Zone};

/// An instant, or a date, or a date and time, that becomes one in a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(Written);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    Instant(Timestamp),
    Date(ReportDay),
    DateTime(DateTime),
}

/// A text that is not a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "is no date such as 2026-11-22, no date and time such as '2026-11-22 18:30', and no RFC 3339 \
     time with an offset such as 2026-11-22T18:30:00Z"
)]
pub struct NoMoment;

/// Why a local date or time is not an instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotOneInstant {
    /// The clocks are set forward over it.
    #[error("{time} never was or will be in {zone}, whose clocks go forward over it")]
    Never {
        /// The date or time.
        time: String,
        /// The zone's name.
        zone: String,
    },
    /// The clocks are set back over it, so it occurs twice.
    #[error("{time} is twice in {zone}, whose clocks go back: write {first} or {second}")]
    Twice {
        /// The time.
        time: String,
        /// The zone's name.
        zone: String,
        /// The earlier instant.
        first: Timestamp,
        /// The later instant.
        second: Timestamp,
    },
}

impl Moment {
    /// Its instant in a zone. A date is the first instant of its day. Outside of the possible years
    /// it is the nearest possible instant: there are no facts beyond.
    pub fn in_zone(self, zone: &Zone) -> Result<Timestamp, NotOneInstant> {
        match self.0 {
            Written::Instant(at) => Ok(at),
            Written::Date(day) => start_of(day, zone),
            Written::DateTime(time) => instant_of(time, zone),
        }
    }
}

fn start_of(day: ReportDay, zone: &Zone) -> Result<Timestamp, NotOneInstant> {
    match zone.bounds(day) {
        Some((start, _)) => Ok(start),
        None if day <= zone.day_of(Timestamp::MIN) => Ok(Timestamp::MIN),
        None if day >= zone.day_of(Timestamp::MAX).plus(-1) => Ok(Timestamp::MAX),
        None => Err(NotOneInstant::Never {
            time: day.to_string(),
            zone: zone.name().to_owned(),
        }),
    }
}

fn instant_of(time: DateTime, zone: &Zone) -> Result<Timestamp, NotOneInstant> {
    let at = |offset: jiff::tz::Offset| {
        let millis = offset
            .to_timestamp(time)
            .map(jiff::Timestamp::as_millisecond);
        let nearest = |millis: i64| Timestamp(millis.clamp(Timestamp::MIN.0, Timestamp::MAX.0));
        // The last instant of the calendar crate is a day before the end of the year 9999.
        millis.map_or(Timestamp::MAX, nearest)
    };
    match zone.offset_of(time) {
        AmbiguousOffset::Unambiguous { offset } => Ok(at(offset)),
        AmbiguousOffset::Gap { .. } => Err(NotOneInstant::Never {
            time: time.to_string(),
            zone: zone.name().to_owned(),
        }),
        AmbiguousOffset::Fold { before, after } => Err(NotOneInstant::Twice {
            time: time.to_string(),
            zone: zone.name().to_owned(),
            first: at(before),
            second: at(after),
        }),
    }
}

impl FromStr for Moment {
    type Err = NoMoment;

    fn from_str(text: &str) -> Result<Self, NoMoment> {
        if let Ok(day) = text.parse() {
            return Ok(Self(Written::Date(day)));
        }
        if is_date_and_time(text) {
            let time = text.parse().map_err(|_| NoMoment)?;
            return Ok(Self(Written::DateTime(time)));
        }
        let at = Timestamp::nearest(text).map_err(|_| NoMoment)?;
        Ok(Self(Written::Instant(at)))
    }
}

/// Whether the text is like `2026-11-22 18:30`, with a space or a `T`, with or without seconds and
/// a fraction. The calendar crate reads other formats too, and ignores offsets.
fn is_date_and_time(text: &str) -> bool {
    let shape: String = text
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    let Some(time) = shape.strip_prefix("0000-00-00") else {
        return false;
    };
    let Some(time) = time.strip_prefix(['T', 't', ' ']) else {
        return false;
    };
    // The calendar crate reads a second 60 as 59; leap seconds are of UTC, and need an offset.
    let is_leap = text.get(16..19) == Some(":60");
    match time.strip_prefix("00:00").filter(|_| !is_leap) {
        Some("" | ":00") => true,
        Some(rest) => rest
            .strip_prefix(":00.")
            .is_some_and(|fraction| !fraction.is_empty() && fraction.chars().all(|c| c == '0')),
        None => false,
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Written::Instant(at) => at.fmt(f),
            Written::Date(day) => day.fmt(f),
            Written::DateTime(time) => time.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, zone: &str) -> Result<String, NotOneInstant> {
        let moment: Moment = text.parse().expect(text);
        let zone: Zone = zone.parse().expect(zone);
        moment.in_zone(&zone).map(|at| at.to_string())
    }

    #[test]
    fn without_an_offset_it_is_of_the_zone() {
        for (text, at) in [
            ("2026-11-22", "2026-11-21T16:00:00.000Z"),
            ("20261122", "2026-11-21T16:00:00.000Z"),
            ("2026-11-22 18:30", "2026-11-22T10:30:00.000Z"),
            ("2026-11-22T18:30:05", "2026-11-22T10:30:05.000Z"),
            ("2026-11-22t18:30:05.1239", "2026-11-22T10:30:05.123Z"),
            ("2026-11-22T18:30:00Z", "2026-11-22T18:30:00.000Z"),
            ("2026-11-22T18:30:00+01:00", "2026-11-22T17:30:00.000Z"),
            ("2026-11-22 18:30:00-05:00", "2026-11-22T23:30:00.000Z"),
        ] {
            assert_eq!(read(text, "Asia/Taipei").as_deref(), Ok(at), "{text}");
        }
    }

    #[test]
    fn what_bounds_nothing_is_the_nearest_instant() {
        for zone in ["UTC", "Asia/Taipei", "America/New_York"] {
            for text in ["1970-01-01", "1970-01-01 00:00", "1970-01-01T00:00:00Z"] {
                assert_eq!(read(text, zone), Ok(Timestamp::MIN.to_string()), "{text}");
            }
            for text in ["9999-12-31", "9999-12-31 23:59", "9999-12-31T23:59:59Z"] {
                assert_eq!(read(text, zone), Ok(Timestamp::MAX.to_string()), "{text}");
            }
        }
    }

    #[test]
    fn what_is_no_one_instant_of_the_zone_is_refused() {
        let never = |text, zone| matches!(read(text, zone), Err(NotOneInstant::Never { .. }));
        assert!(never("2026-03-29 02:30", "Europe/Berlin"));
        assert!(never("2011-12-30", "Pacific/Apia"));
        let twice = read("2026-10-25 02:30", "Europe/Berlin").expect_err("it is twice");
        assert_eq!(
            twice.to_string(),
            "2026-10-25T02:30:00 is twice in Europe/Berlin, whose clocks go back: write \
             2026-10-25T00:30:00.000Z or 2026-10-25T01:30:00.000Z"
        );
        // A day whose first hour is skipped has a first instant all the same.
        assert!(read("2018-11-04", "America/Sao_Paulo").is_ok());
    }

    #[test]
    fn other_texts_are_no_moments() {
        for text in [
            "",
            "yesterday",
            "2026-11-31",
            "2026-11-22T",
            "2026-11-22T18",
            "2026-11-22 25:00",
            "2026-11-22 18:30:60",
            "2026-11-22 18:30:00.",
            "2026-11-22  18:30",
            "１026-11-22",
            "18:30",
            "1764441000000",
        ] {
            assert_eq!(text.parse::<Moment>(), Err(NoMoment), "{text}");
        }
    }
}
