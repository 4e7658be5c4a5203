//! How pages write numbers, sizes, durations and times. The exact values are in `data-value`.

use showreport_model::{Timestamp, Zone};

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// A whole number with a comma after each three digits.
pub(crate) fn count(value: impl Into<i128>) -> String {
    let value = value.into();
    let digits = value.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if value < 0 {
        text.push('-');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A duration in its two largest units, rounded down: a page must not show more than was watched.
pub(crate) fn duration(millis: i64) -> String {
    let seconds = millis / 1_000;
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    match (hours, minutes) {
        (0, 0) if millis < 10_000 => format!("{seconds}.{} s", millis / 100 % 10),
        (0, 0) => format!("{seconds} s"),
        (0, _) => format!("{minutes} min {} s", seconds % 60),
        _ => format!("{} h {minutes} min", count(hours)),
    }
}

/// A duration in its largest unit of which it has at least two, such as `3 h`.
pub(crate) fn largest_unit(millis: i64) -> String {
    const UNITS: [(i64, &str); 3] = [(86_400_000, "days"), (3_600_000, "h"), (60_000, "min")];
    let unit = UNITS.iter().find(|(length, _)| millis >= 2 * length);
    match unit {
        None => format!("{} s", millis / 1_000),
        Some((length, name)) => format!("{} {name}", millis / length),
    }
}

/// The length of a bucket in one unit, such as `15 s`, `5 min`, `1 h` or `1 day`.
pub(crate) fn width(millis: i64) -> String {
    match millis / 1_000 {
        seconds @ ..60 => format!("{seconds} s"),
        seconds @ 60..3_600 => format!("{} min", seconds / 60),
        seconds @ 3_600..82_800 => format!("{} h", seconds / 3_600),
        // Days are an hour shorter or longer where the clocks change.
        _ => "1 day".to_owned(),
    }
}

/// A position in the content, such as `1:02:03`.
pub(crate) fn position(millis: i64) -> String {
    let seconds = millis / 1_000;
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// A share in percent. Shares have four decimals, so this is exact.
pub(crate) fn percent(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text} %")
}

/// A number with at most two decimals, rounded down.
pub(crate) fn number(value: f64) -> String {
    let text = format!("{:.2}", (value * 100.0).floor() / 100.0);
    let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
    let decimals = decimals.trim_end_matches('0');
    let whole = whole
        .parse::<i64>()
        .map_or_else(|_| whole.to_owned(), count);
    if decimals.is_empty() {
        whole
    } else {
        format!("{whole}.{decimals}")
    }
}

/// A number of bytes with its unit, such as `12.3 kB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    let unit = UNITS.iter().find(|(size, _)| count >= *size);
    match unit {
        None => format!("{count} B"),
        Some((size, name)) => {
            let tenths = count / (size / 10);
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
    }
}

/// A name in `snake_case` as words that begin with a capital letter.
pub(crate) fn words(name: &str) -> String {
    let words = name.replace('_', " ");
    let mut letters = words.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// A date and a time of a zone, such as `22 Nov 2026, 19:30:00`.
pub(crate) fn date_time(at: Timestamp, zone: &Zone) -> String {
    format!("{}, {}", date(at, zone), clock(at, zone))
}

/// A date and a time without seconds.
pub(crate) fn date_minute(at: Timestamp, zone: &Zone) -> String {
    format!("{}, {}", date(at, zone), &clock(at, zone)[..5])
}

/// A date of a zone, such as `22 Nov 2026`.
pub(crate) fn date(at: Timestamp, zone: &Zone) -> String {
    let text = wall(at, zone);
    let month: usize = text[5..7].parse().unwrap_or(1);
    let day = text[8..10].trim_start_matches('0');
    format!("{day} {} {}", MONTHS[month - 1], &text[..4])
}

/// A time of a zone, such as `19:30:00`.
pub(crate) fn clock(at: Timestamp, zone: &Zone) -> String {
    wall(at, zone)[11..19].to_owned()
}

/// The value of a field for a date and a time, such as `2026-11-22T19:30:00`.
pub(crate) fn field(at: Timestamp, zone: &Zone) -> String {
    wall(at, zone)[..19].to_owned()
}

/// A date and a time of a zone as forms take them, such as `2026-11-22 18:30:05`. Milliseconds are
/// only written if there are any.
pub(crate) fn wall_time(at: Timestamp, zone: &Zone) -> String {
    let text = wall(at, zone).replace('T', " ");
    let text = text.trim_end_matches('Z');
    text.strip_suffix(".000").unwrap_or(text).to_owned()
}

/// Year, month, day and time in a zone, as RFC 3339 has them.
fn wall(at: Timestamp, zone: &Zone) -> String {
    let millis = zone.wall_millis(at);
    let wall = Timestamp::from_millis(
        millis.clamp(Timestamp::MIN.as_millis(), Timestamp::MAX.as_millis()),
    );
    wall.unwrap_or(at).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas_and_few_decimals() {
        let counts = [0, 999, 1_000, 1_234_567, -1_234].map(count);
        assert_eq!(counts, ["0", "999", "1,000", "1,234,567", "-1,234"]);
        assert_eq!(count(1_234_567_u64), "1,234,567");
        let sizes = [0, 999, 1_000, 12_345, 5_000_000, 2_999_999_999].map(bytes);
        let texts = ["0 B", "999 B", "1.0 kB", "12.3 kB", "5.0 MB", "2.9 GB"];
        assert_eq!(sizes, texts);
        let numbers = [0.0, 1.75, 1234.5, 0.999, 12.0].map(number);
        assert_eq!(numbers, ["0", "1.75", "1,234.5", "0.99", "12"]);
        let shares = [0.0, 0.6666, 0.75, 1.0, 0.9999].map(percent);
        assert_eq!(shares, ["0 %", "66.66 %", "75 %", "100 %", "99.99 %"]);
    }

    #[test]
    fn durations_have_two_units_and_are_rounded_down() {
        let texts = [
            0,
            950,
            9_999,
            59_999,
            60_000,
            3_599_999,
            3_600_000,
            4_500_000_000,
        ];
        assert_eq!(
            texts.map(duration),
            [
                "0.0 s",
                "0.9 s",
                "9.9 s",
                "59 s",
                "1 min 0 s",
                "59 min 59 s",
                "1 h 0 min",
                "1,250 h 0 min"
            ]
        );
        let times = [0, 119_999, 120_000, 7_200_000, 172_800_000].map(largest_unit);
        assert_eq!(times, ["0 s", "119 s", "2 min", "2 h", "2 days"]);
        assert_eq!(
            [5_000, 65_000, 3_723_000].map(position),
            ["0:05", "1:05", "1:02:03"]
        );
    }

    #[test]
    fn times_are_those_of_the_zone() {
        let at: Timestamp = "2026-11-02T23:30:07.250Z".parse().unwrap();
        let zone: Zone = "Europe/Berlin".parse().unwrap();
        assert_eq!(date_time(at, &zone), "3 Nov 2026, 00:30:07");
        assert_eq!(date_minute(at, &Zone::utc()), "2 Nov 2026, 23:30");
        assert_eq!(wall_time(at, &zone), "2026-11-03 00:30:07.250");
        let second: Timestamp = "2026-11-22T10:30:05Z".parse().unwrap();
        let taipei: Zone = "Asia/Taipei".parse().unwrap();
        assert_eq!(wall_time(second, &taipei), "2026-11-22 18:30:05");
        assert_eq!(field(at, &zone), "2026-11-03T00:30:07");
        assert_eq!(date(Timestamp::MAX, &zone), "30 Dec 9999");
    }
    #[test]
    fn a_name_becomes_words() {
        assert_eq!(words("chat_histories"), "Chat histories");
    }
}
