//! Times as texts, and the buckets of the clock.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;

const DAY: i64 = 86_400_000;
const MINUTE: i64 = 60_000;

/// Days since 1970 of a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [
        31,
        if leap(year) { 29 } else { 28 },
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let years: i64 = (1970..year)
        .map(|year| if leap(year) { 366 } else { 365 })
        .sum();
    let months: i64 = lengths[..usize::try_from(month - 1).expect("a month")]
        .iter()
        .sum();
    years + months + day - 1
}

/// Milliseconds since 1970 of a time as it was sent: an integer, or RFC 3339 with an offset.
pub(crate) fn millis(sent: &Value) -> i64 {
    match sent {
        Value::Number(number) => number.as_i64().expect("times are whole milliseconds"),
        Value::String(text) => millis_of_text(text),
        other => panic!("no time: {other}"),
    }
}

/// `2026-11-22T18:30:00.123456+01:00`: every part has its place, the fraction any length.
fn millis_of_text(text: &str) -> i64 {
    let number = |range: std::ops::Range<usize>| -> i64 { text[range].parse().expect("digits") };
    let day = days(number(0..4), number(5..7), number(8..10));
    let clock = number(11..13) * 3_600_000 + number(14..16) * MINUTE + number(17..19) * 1000;
    let rest = &text[19..];
    let (fraction, offset) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).expect("an offset")),
        None => ("", rest),
    };
    let thousandths: i64 = format!("{fraction:0<3}")[..3].parse().expect("digits");
    let ahead = if offset == "Z" {
        0
    } else {
        let hours: i64 = offset[1..3].parse().expect("digits");
        let minutes: i64 = offset[4..6].parse().expect("digits");
        let sign = if offset.starts_with('-') { -1 } else { 1 };
        sign * (hours * 60 + minutes) * MINUTE
    };
    day * DAY + clock + thousandths - ahead
}

/// RFC 3339 in UTC with `Z` and three decimals.
pub(crate) fn rfc3339(millis: i64) -> String {
    let (mut day, clock) = (millis.div_euclid(DAY), millis.rem_euclid(DAY));
    let mut year = 1970;
    while day >= days(year + 1, 1, 1) - days(year, 1, 1) {
        day -= days(year + 1, 1, 1) - days(year, 1, 1);
        year += 1;
    }
    let first = days(year, 1, 1);
    let month = (1..=12)
        .rev()
        .find(|&month| days(year, month, 1) - first <= day)
        .expect("a month");
    let date = day - (days(year, month, 1) - first) + 1;
    let (hour, minute) = (clock / 3_600_000, clock / MINUTE % 60);
    let (second, thousandth) = (clock / 1000 % 60, clock % 1000);
    format!("{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}.{thousandth:03}Z")
}

/// Milliseconds as seconds with three decimals.
pub(crate) fn seconds_text(millis: i64) -> String {
    format!("{}.{:03}", millis / 1000, millis % 1000)
}

/// A number in units of its last decimal, without trailing zeros.
pub(crate) fn decimals(units: i64, places: usize) -> String {
    let digits = format!("{units:0>width$}", width = places + 1);
    let (whole, rest) = digits.split_at(digits.len() - places);
    match rest.trim_end_matches('0') {
        "" => whole.to_owned(),
        rest => format!("{whole}.{rest}"),
    }
}

#[test]
fn the_oracle_prints_decimals() {
    let shares = [10_000, 5_000, 3_333, 0, 7, 123_450].map(|share| decimals(share, 4));
    assert_eq!(shares, ["1", "0.5", "0.3333", "0", "0.0007", "12.345"]);
}

/// The buckets that time is divided into.
pub(crate) struct Buckets<'a> {
    granularity_seconds: i64,
    zone: &'a TimeZone,
    day_starts: BTreeMap<Date, Option<i64>>,
}

impl<'a> Buckets<'a> {
    pub(crate) fn new(granularity_seconds: i64, zone: &'a TimeZone) -> Self {
        Self {
            granularity_seconds,
            zone,
            day_starts: BTreeMap::new(),
        }
    }

    /// The start of the bucket that holds the instant.
    pub(crate) fn start(&mut self, at: i64) -> i64 {
        if self.granularity_seconds != 86_400 {
            let width = self.granularity_seconds * 1000;
            return at.div_euclid(width) * width;
        }
        self.starts_near(at)
            .into_iter()
            .filter(|&start| start <= at)
            .max()
            .expect("a day before")
    }

    /// The first instant after the bucket that holds the instant.
    pub(crate) fn end(&mut self, at: i64) -> i64 {
        if self.granularity_seconds != 86_400 {
            return self.start(at) + self.granularity_seconds * 1000;
        }
        self.starts_near(at)
            .into_iter()
            .filter(|&start| start > at)
            .min()
            .expect("a day after")
    }

    /// The first instants of the dates around.
    fn starts_near(&mut self, at: i64) -> Vec<i64> {
        let here = self.date(at);
        let dates = here
            .saturating_sub(jiff::Span::new().days(3))
            .series(jiff::Span::new().days(1));
        dates
            .take(7)
            .filter_map(|date| self.day_start(date))
            .collect()
    }

    fn date(&self, at: i64) -> Date {
        let instant = jiff::Timestamp::from_millisecond(at).expect("in range");
        instant.to_zoned(self.zone.clone()).date()
    }

    /// The first instant that the zone gives the date, if it ever does: looked
    /// for minute by minute, as offsets have been whole minutes since 2000.
    fn day_start(&mut self, date: Date) -> Option<i64> {
        if let Some(&known) = self.day_starts.get(&date) {
            return known;
        }
        let in_utc = days(date.year().into(), date.month().into(), date.day().into()) * DAY;
        let first = (-26 * 60..26 * 60)
            .map(|minute| in_utc + minute * MINUTE)
            .find(|&instant| self.date(instant) == date);
        self.day_starts.insert(date, first);
        first
    }
}

#[test]
fn the_oracle_reads_and_prints_times() {
    for (text, printed) in [
        (
            "2026-11-22T19:30:00.999999+01:00",
            "2026-11-22T18:30:00.999Z",
        ),
        ("2000-01-01T00:00:00Z", "2000-01-01T00:00:00.000Z"),
        ("2024-02-29T23:59:59.5-00:30", "2024-03-01T00:29:59.500Z"),
        ("2024-12-31T23:59:59.012Z", "2024-12-31T23:59:59.012Z"),
    ] {
        assert_eq!(rfc3339(millis(&Value::from(text))), printed);
    }
    assert_eq!(
        millis(&Value::from("2026-11-22T18:30:00Z")),
        1_795_372_200_000
    );
}
