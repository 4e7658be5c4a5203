//! Days of a zone, which bulk reports cover.

use std::fmt;
use std::str::FromStr;

use jiff::ToSpan;
use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Timestamp, Zone};

/// A date in an organisation's zone. It sorts as dates do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReportDay(Date);

/// A text that is not a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no date such as 2026-11-22 or 20261122")]
pub struct NoDate;

/// Why a date is not a day of a zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSuchDay {
    /// The clocks were set forward over the whole date.
    #[error("{day} never was in {zone}, whose clocks went forward over it")]
    Skipped {
        /// The date.
        day: ReportDay,
        /// The zone's name.
        zone: String,
    },
    /// It begins before [`Timestamp::MIN`].
    #[error("{day} begins before {}, and no record is older", Timestamp::MIN)]
    TooEarly {
        /// The date.
        day: ReportDay,
    },
    /// It ends after [`Timestamp::MAX`].
    #[error("{day} ends after {}, and no record is newer", Timestamp::MAX)]
    TooLate {
        /// The date.
        day: ReportDay,
    },
}

impl ReportDay {
    /// The date this many days later, or earlier if the number is negative.
    #[must_use]
    pub fn plus(self, days: i32) -> Self {
        Self(self.0.saturating_add(days.days()))
    }

    /// The date as eight digits, such as 20261122.
    pub fn digits(self) -> String {
        self.0.strftime("%Y%m%d").to_string()
    }

    /// Every date from this one to `last`, both included.
    pub fn through(self, last: Self) -> impl Iterator<Item = Self> {
        std::iter::successors(Some(self), |day| Some(day.plus(1)))
            .take_while(move |day| *day <= last)
    }
}

impl FromStr for ReportDay {
    type Err = NoDate;

    fn from_str(text: &str) -> Result<Self, NoDate> {
        let format = match text.len() {
            8 => "%Y%m%d",
            10 => "%Y-%m-%d",
            _ => return Err(NoDate),
        };
        Date::strptime(format, text).map(Self).map_err(|_| NoDate)
    }
}

impl fmt::Display for ReportDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for ReportDay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ReportDay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl Zone {
    /// The day of an instant.
    ///
    /// A day begins with the first instant that has its date. So an hour around midnight that
    /// occurs twice belongs to the later day.
    pub fn day_of(&self, at: Timestamp) -> ReportDay {
        let date = ReportDay(self.date(at));
        match self.day_start(date.plus(1)) {
            Some(start) if start <= at => date.plus(1),
            _ => date,
        }
    }

    /// Start of a day, and its end, exclusive. `None` for a date that the zone skips, and outside
    /// of the possible years.
    pub fn bounds(&self, day: ReportDay) -> Option<(Timestamp, Timestamp)> {
        /// Zones have skipped single dates, never two in a row.
        const SKIPPED_MAX: i32 = 2;
        let start = self.day_start(day)?;
        let end = (1..=SKIPPED_MAX).find_map(|days| self.day_start(day.plus(days)))?;
        Some((start, end))
    }

    /// The bounds of a day, or why the date is not a day.
    pub fn day(&self, day: ReportDay) -> Result<(Timestamp, Timestamp), NoSuchDay> {
        self.bounds(day).ok_or_else(|| {
            if day <= self.day_of(Timestamp::MIN) {
                NoSuchDay::TooEarly { day }
            } else if day >= self.day_of(Timestamp::MAX).plus(-1) {
                NoSuchDay::TooLate { day }
            } else {
                let zone = self.name().to_owned();
                NoSuchDay::Skipped { day, zone }
            }
        })
    }

    fn day_start(&self, day: ReportDay) -> Option<Timestamp> {
        self.first_instant(day.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn zone(name: &str) -> Zone {
        name.parse().expect(name)
    }

    fn hours(zone: &Zone, day: &str) -> Option<i64> {
        let (start, end) = zone.bounds(day.parse().expect(day))?;
        Some((end.as_millis() - start.as_millis()) / 3_600_000)
    }

    #[test]
    fn a_day_lasts_23_24_or_25_hours() {
        let berlin = zone("Europe/Berlin");
        assert_eq!(hours(&berlin, "2026-03-29"), Some(23));
        assert_eq!(hours(&berlin, "2026-10-24"), Some(24));
        assert_eq!(hours(&berlin, "2026-10-25"), Some(25));
    }

    #[test]
    fn a_date_that_the_zone_skips_is_no_day() {
        let apia = zone("Pacific/Apia");
        assert_eq!(hours(&apia, "2011-12-29"), Some(24));
        assert_eq!(hours(&apia, "2011-12-30"), None);
        assert_eq!(hours(&apia, "2011-12-31"), Some(24));
    }

    #[test]
    fn why_a_date_is_no_day_is_said_truly() {
        let why = |zone: &str, day: &str| {
            let day = self::zone(zone).day(day.parse().expect(day));
            day.map(drop).map_err(|why| why.to_string())
        };
        let early = "1999-01-01 begins before 2000-01-01T00:00:00.000Z, and no record is older";
        assert_eq!(why("Asia/Taipei", "1999-01-01"), Err(early.to_owned()));
        let early = early.replace("1999", "2000");
        assert_eq!(why("Asia/Taipei", "2000-01-01"), Err(early));
        assert_eq!(why("UTC", "2000-01-01"), Ok(()));
        let skipped = "2011-12-30 never was in Pacific/Apia, whose clocks went forward over it";
        assert_eq!(why("Pacific/Apia", "2011-12-30"), Err(skipped.to_owned()));
        for day in ["9999-12-29", "9999-12-30", "9999-12-31"] {
            for zone in ["UTC", "Asia/Taipei", "America/New_York"] {
                let why = why(zone, day);
                assert!(
                    why.is_ok() || why.is_err_and(|it| it.contains("newer")),
                    "{zone} {day}"
                );
            }
        }
    }

    #[test]
    fn a_date_has_two_forms() {
        let day: ReportDay = "20261122".parse().expect("digits");
        assert_eq!(day.to_string(), "2026-11-22");
        assert_eq!(day.digits(), "20261122");
        for wrong in ["", "2026-11-31", "2026-1-1", "22.11.2026", "2026111"] {
            assert_eq!(wrong.parse::<ReportDay>(), Err(NoDate), "{wrong}");
        }
        assert_eq!(day.plus(-22).to_string(), "2026-10-31");
        assert_eq!(day.plus(-1).through(day).count(), 2);
        assert_eq!(day.through(day.plus(-1)).count(), 0);
    }

    proptest! {
        #[test]
        fn every_instant_lies_in_just_its_day(
            millis in 1_200_000_000_000i64..1_900_000_000_000,
            name in prop::sample::select(vec![
                "UTC", "Asia/Taipei", "Europe/Berlin", "America/St_Johns", "Pacific/Apia",
                "America/Los_Angeles", "Africa/Cairo", "Asia/Beirut",
            ]),
        ) {
            let zone = zone(name);
            let at = Timestamp::from_millis(millis).expect("an instant");
            let day = zone.day_of(at);
            let (start, end) = zone.bounds(day).expect("a day");
            prop_assert!(start <= at && at < end, "{} in {}", at, name);
            prop_assert_eq!(zone.day_of(start), day);
            prop_assert!(zone.day_of(end) > day);
        }
    }
}
