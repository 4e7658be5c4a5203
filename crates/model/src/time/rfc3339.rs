//! RFC 3339, complete and nothing else.
//!
//! The calendar crate also reads offsets of hours, names of zones and weeks. It reads at most nine
//! digits of a fraction, and a leap second as the second before it.

/// Milliseconds of a minute.
const MINUTE: i64 = 60_000;

/// Milliseconds since 1970 of a text such as `2026-11-22T18:30:00.000Z`, floored.
///
/// A leap second (23:59:60 UTC) is the last millisecond of its minute, so it is before the next day
/// and not before the second that precedes it.
pub(super) fn millis(text: &str) -> Option<i64> {
    let (date, rest) = text.as_bytes().split_at_checked(10)?;
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *date else {
        return None;
    };
    let year = number(&[y1, y2, y3, y4])?;
    let month = number(&[m1, m2])?;
    let day = number(&[d1, d2])?;
    if !(1..=12).contains(&month) || !(1..=days_of(year, month)).contains(&day) {
        return None;
    }
    let (time, rest) = rest.split_at_checked(9)?;
    let [b'T' | b't' | b' ', h1, h2, b':', n1, n2, b':', s1, s2] = *time else {
        return None;
    };
    let (hour, minute, second) = (number(&[h1, h2])?, number(&[n1, n2])?, number(&[s1, s2])?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (fraction, rest) = fraction_millis(rest)?;
    let minutes = (days_since_1970(year, month, day) * 24 + hour) * 60 + minute;
    let start_of_minute = (minutes - offset_minutes(rest)?) * MINUTE;
    if second < 60 {
        return Some(start_of_minute + second * 1000 + fraction);
    }
    let next_minute = start_of_minute + MINUTE;
    (next_minute.rem_euclid(super::MILLIS_PER_DAY) == 0).then_some(next_minute - 1)
}

/// The digits as a number.
fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + i64::from(digit - b'0'))
    })
}

/// A fraction of a second of any length in whole milliseconds, and the rest of the text.
fn fraction_millis(rest: &[u8]) -> Option<(i64, &[u8])> {
    let Some(fraction) = rest.strip_prefix(b".") else {
        return Some((0, rest));
    };
    let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit());
    let (digits, rest) = fraction.split_at(digits.count());
    if digits.is_empty() {
        return None;
    }
    let digit = |place: usize| i64::from(digits.get(place).map_or(0, |digit| digit - b'0'));
    Some((digit(0) * 100 + digit(1) * 10 + digit(2), rest))
}

/// Minutes ahead of UTC.
fn offset_minutes(offset: &[u8]) -> Option<i64> {
    let (sign, rest) = match offset {
        b"Z" | b"z" => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let [h1, h2, b':', n1, n2] = *rest else {
        return None;
    };
    let (hours, minutes) = (number(&[h1, h2])?, number(&[n1, n2])?);
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 60 + minutes))
}

fn days_of(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970 in the proleptic Gregorian calendar. Years are taken to begin with March, so a
/// leap day is the last of its year.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    const DAYS_0000_03_01_TO_1970: i64 = 719_468;
    let year = if month <= 2 { year - 1 } else { year };
    let days_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leap_days + days_of_year - DAYS_0000_03_01_TO_1970
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_text_that_the_rfc_allows_is_read() {
        let noon = 1_795_348_800_000;
        for (text, wanted) in [
            ("2026-11-22T12:00:00Z", noon),
            ("2026-11-22t12:00:00z", noon),
            ("2026-11-22 12:00:00Z", noon),
            ("2026-11-22T12:00:00-00:00", noon),
            ("2026-11-23T11:59:00+23:59", noon),
            ("2026-11-21T12:01:00-23:59", noon),
            ("2026-11-22T17:45:00.5+05:45", noon + 500),
            ("2026-11-22T12:00:00.9999999999999999999999999Z", noon + 999),
            ("2026-11-22T12:00:00.0019Z", noon + 1),
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59.9999Z", -1),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
            ("2000-02-29T00:00:00Z", 951_782_400_000),
        ] {
            assert_eq!(millis(text), Some(wanted), "{text}");
        }
    }

    #[test]
    fn what_the_rfc_does_not_allow_is_refused() {
        for text in [
            "",
            "2026-11-22",
            "2026-11-22T12:00:00",
            "2026-11-22T12:00Z",
            "2026-11-22T12:00:00.Z",
            "2026-11-22T12:00:00,5Z",
            "2026-11-22T12:00:00+01",
            "2026-11-22T12:00:00+0100",
            "2026-11-22T12:00:00+01:00:00",
            "2026-11-22T12:00:00+24:00",
            "2026-11-22T12:00:00+01:60",
            "2026-11-22T12:00:00 +01:00",
            "2026-11-22T12:00:00Z[UTC]",
            "2026-11-22T12:00:00ZZ",
            "2026-11-22T12:00:00\u{2212}01:00",
            "2026-11-22_12:00:00Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T12:60:00Z",
            "2026-11-31T12:00:00Z",
            "2026-02-29T12:00:00Z",
            "1900-02-29T12:00:00Z",
            "2026-00-22T12:00:00Z",
            "2026-13-22T12:00:00Z",
            "2026-11-00T12:00:00Z",
            "+02026-11-22T12:00:00Z",
            "-026-11-22T12:00:00Z",
            "20261122T120000Z",
            "2026-W47-7T12:00:00Z",
            " 2026-11-22T12:00:00Z",
            "2026-11-22T1\u{662}:00:00Z",
            // A leap second is the last of a day of UTC.
            "2026-11-22T12:30:60Z",
            "2016-12-31T23:58:60Z",
            "2016-12-31T23:59:60+09:00",
            "2016-12-31T23:59:61Z",
        ] {
            assert_eq!(millis(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_leap_second_lies_between_its_neighbours() {
        let order = [
            "2016-12-31T23:59:59.900Z",
            "2016-12-31T23:59:59.998999Z",
            "2016-12-31T23:59:60Z",
            "2017-01-01T08:59:60.100+09:00",
            "2016-12-31T18:59:60.999-05:00",
            "2017-01-01T00:00:00Z",
        ]
        .map(|text| millis(text).expect(text));
        assert!(order.is_sorted(), "{order:?}");
        assert!(order[1] < order[2] && order[4] < order[5], "{order:?}");
    }

    proptest! {
        #[test]
        fn what_both_read_the_calendar_crate_reads_alike(
            days in -719_000_i64..2_932_000, milli in 0_i64..86_400_000, offset in -1439_i64..=1439,
        ) {
            let wanted = days * super::super::MILLIS_PER_DAY + milli;
            let local = wanted + offset * MINUTE;
            let day = local.div_euclid(super::super::MILLIS_PER_DAY);
            let time = local.rem_euclid(super::super::MILLIS_PER_DAY);
            let date = date(1970, 1, 1).saturating_add(jiff::Span::new().days(day));
            let (seconds, fraction) = (time / 1000, time % 1000);
            let text = format!(
                "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{fraction:03}{}{:02}:{:02}",
                date.year(), date.month(), date.day(),
                seconds / 3600, seconds / 60 % 60, seconds % 60,
                if offset < 0 { '-' } else { '+' }, offset.abs() / 60, offset.abs() % 60,
            );
            prop_assert_eq!(millis(&text), Some(wanted), "{}", text);
        }
    }
}
